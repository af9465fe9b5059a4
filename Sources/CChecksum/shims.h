#include <isa-l/crc.h>
#include <xxhash.h>
