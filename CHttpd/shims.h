// libmicrohttpd for Swift: the library's header, and inline functions for what Swift cannot say
// (variadic options, macros, unions read by kind).
#ifndef VORTEX_CHTTPD_SHIMS_H
#define VORTEX_CHTTPD_SHIMS_H
#include <microhttpd.h>

// Constants whose enumerations or macros have no plain Swift spelling.
static const enum MHD_Result vortex_yes = MHD_YES;
static const enum MHD_Result vortex_no = MHD_NO;
static const enum MHD_ValueKind vortex_header_kind = MHD_HEADER_KIND;
static const enum MHD_ResponseMemoryMode vortex_memory_persistent = MHD_RESPMEM_PERSISTENT;
static const enum MHD_ResponseMemoryMode vortex_memory_copy = MHD_RESPMEM_MUST_COPY;
static const ssize_t vortex_read_failed = MHD_CONTENT_READER_END_WITH_ERROR;

static inline int vortex_httpd_is_start(enum MHD_ConnectionNotificationCode code) {
    return code == MHD_CONNECTION_NOTIFY_STARTED;
}

static inline int vortex_httpd_is_complete(enum MHD_RequestTerminationCode code) {
    return code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

// Everything a daemon of ours is started with.
struct vortex_httpd_settings {
    unsigned int threads;
    unsigned int connections_max;
    size_t connection_memory_bytes;
    const char *certificate_pem;  // NULL: no TLS
    const char *key_pem;
    void *context;  // the cls of every callback
    MHD_AccessHandlerCallback handler;
    void *(*uri)(void *cls, const char *uri, struct MHD_Connection *connection);
    size_t (*unescape)(void *cls, struct MHD_Connection *connection, char *text);
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    MHD_PanicCallback panic;
};

// A daemon without a listening socket: connections are given to it.
static inline struct MHD_Daemon *vortex_httpd_start(const struct vortex_httpd_settings *s) {
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, s->threads > 1 ? (intptr_t)s->threads : 0, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)s->connections_max, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)s->connection_memory_bytes, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)s->uri, s->context},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)s->unescape, s->context},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)s->completed, s->context},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)s->connection, s->context},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {s->certificate_pem ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0,
         (void *)s->certificate_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)s->key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL}};
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO |
                         MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC;
    if (s->certificate_pem) flags |= MHD_USE_TLS;
    if (s->panic) MHD_set_panic_func(s->panic, s->context);
    return MHD_start_daemon(flags, 0, NULL, NULL, s->handler, s->context,
                            MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static inline int vortex_httpd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static inline const struct sockaddr *vortex_httpd_peer(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static inline void *vortex_httpd_socket_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}
#endif
