// libcurl for Swift: curl_easy_setopt is variadic and type-checked by macros, so each kind of
// argument gets an inline function of its own.
#ifndef VORTEX_CCURL_SHIMS_H
#define VORTEX_CCURL_SHIMS_H
#include <curl/curl.h>

typedef size_t (*vortex_curl_transfer)(char *buffer, size_t size, size_t count, void *context);

static inline int vortex_curl_set_number(CURL *curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}
static inline int vortex_curl_set_size(CURL *curl, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(curl, option, value);
}
static inline int vortex_curl_set_text(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline int vortex_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline int vortex_curl_set_context(CURL *curl, CURLoption option, void *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline int vortex_curl_set_transfer(
    CURL *curl, CURLoption option, vortex_curl_transfer value) {
    return curl_easy_setopt(curl, option, value);
}
static inline int vortex_curl_set_watch(CURL *curl, curl_xferinfo_callback value) {
    return curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, value);
}
static inline long vortex_curl_status(CURL *curl) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
static const size_t vortex_curl_abort = CURL_READFUNC_ABORT;
#endif
