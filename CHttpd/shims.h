// libmicrohttpd for Swift: the library's header, and inline functions for what Swift cannot say
// (variadic options, macros).
#ifndef VORTEX_CHTTPD_SHIMS_H
#define VORTEX_CHTTPD_SHIMS_H
#include <microhttpd.h>
#endif
