// libcurl for Swift: curl_easy_setopt is variadic and type-checked by macros, so each kind of
// argument gets an inline function of its own.
#ifndef VORTEX_CCURL_SHIMS_H
#define VORTEX_CCURL_SHIMS_H
#include <curl/curl.h>
#endif
