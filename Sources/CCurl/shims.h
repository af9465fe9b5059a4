// libcurl for Swift, loaded when the client first needs it: a server that never does so saves the 3
// MB that libcurl and what it depends on would keep resident. curl_easy_setopt is variadic and
// type-checked by macros, so each kind of argument gets an inline function of its own.
#ifndef VORTEX_CCURL_SHIMS_H
#define VORTEX_CCURL_SHIMS_H
#include <curl/curl.h>
#include <dlfcn.h>
#include <stddef.h>

typedef size_t (*vortex_curl_transfer)(char *buffer, size_t size, size_t count, void *context);

struct vortex_curl_library {
    CURL *(*init)(void);
    void (*cleanup)(CURL *curl);
    void (*reset)(CURL *curl);
    CURLcode (*perform)(CURL *curl);
    CURLcode (*setopt)(CURL *curl, CURLoption option, ...);
    CURLcode (*getinfo)(CURL *curl, CURLINFO info, ...);
    const char *(*strerror)(CURLcode code);
    struct curl_slist *(*append)(struct curl_slist *list, const char *text);
    void (*free_all)(struct curl_slist *list);
};

// All zero where there is no libcurl. Loading twice, from two threads, gives the same.
static inline const struct vortex_curl_library *vortex_curl_load(void) {
    static struct vortex_curl_library library;
    static int isLoaded;
    if (__atomic_load_n(&isLoaded, __ATOMIC_ACQUIRE)) return &library;
    void *file = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (file) {
        *(void **)&library.cleanup = dlsym(file, "curl_easy_cleanup");
        *(void **)&library.reset = dlsym(file, "curl_easy_reset");
        *(void **)&library.perform = dlsym(file, "curl_easy_perform");
        *(void **)&library.setopt = dlsym(file, "curl_easy_setopt");
        *(void **)&library.getinfo = dlsym(file, "curl_easy_getinfo");
        *(void **)&library.strerror = dlsym(file, "curl_easy_strerror");
        *(void **)&library.append = dlsym(file, "curl_slist_append");
        *(void **)&library.free_all = dlsym(file, "curl_slist_free_all");
        *(void **)&library.init = dlsym(file, "curl_easy_init");
    }
    __atomic_store_n(&isLoaded, 1, __ATOMIC_RELEASE);
    return &library;
}

// NULL where there is no libcurl, or no memory. Everything below needs a handle first.
static inline CURL *vortex_curl_init(void) {
    const struct vortex_curl_library *library = vortex_curl_load();
    return library->init ? library->init() : NULL;
}
static inline void vortex_curl_cleanup(CURL *curl) { vortex_curl_load()->cleanup(curl); }
static inline void vortex_curl_reset(CURL *curl) { vortex_curl_load()->reset(curl); }
static inline CURLcode vortex_curl_perform(CURL *curl) { return vortex_curl_load()->perform(curl); }
static inline const char *vortex_curl_strerror(CURLcode code) {
    return vortex_curl_load()->strerror(code);
}
static inline struct curl_slist *vortex_curl_append(struct curl_slist *list, const char *text) {
    return vortex_curl_load()->append(list, text);
}
static inline void vortex_curl_free_all(struct curl_slist *list) {
    vortex_curl_load()->free_all(list);
}
static inline int vortex_curl_set_number(CURL *curl, CURLoption option, long value) {
    return vortex_curl_load()->setopt(curl, option, value);
}
static inline int vortex_curl_set_size(CURL *curl, CURLoption option, curl_off_t value) {
    return vortex_curl_load()->setopt(curl, option, value);
}
static inline int vortex_curl_set_text(CURL *curl, CURLoption option, const char *value) {
    return vortex_curl_load()->setopt(curl, option, value);
}
static inline int vortex_curl_set_list(CURL *curl, CURLoption option, struct curl_slist *value) {
    return vortex_curl_load()->setopt(curl, option, value);
}
static inline int vortex_curl_set_context(CURL *curl, CURLoption option, void *value) {
    return vortex_curl_load()->setopt(curl, option, value);
}
static inline int vortex_curl_set_transfer(
    CURL *curl, CURLoption option, vortex_curl_transfer value) {
    return vortex_curl_load()->setopt(curl, option, value);
}
static inline int vortex_curl_set_watch(CURL *curl, curl_xferinfo_callback value) {
    return vortex_curl_load()->setopt(curl, CURLOPT_XFERINFOFUNCTION, value);
}
static inline long vortex_curl_status(CURL *curl) {
    long status = 0;
    vortex_curl_load()->getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
static const size_t vortex_curl_abort = CURL_READFUNC_ABORT;
#endif
