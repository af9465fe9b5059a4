// Load for the benchmark: the same requests, by the same few lines, for every server it is pointed at.
//
//   load http PORT PATH get|put SIZE CONNECTIONS SECONDS KEYS   keep-alive HTTP/1.1 on 127.0.0.1, epoll, one thread
//   load http ... ID:SECRET signed|unsigned                      the same, by Signature Version 4, with and without the body
//   load disk FILE BYTES BATCH COUNT                             appends BATCH x BYTES, then fdatasync, COUNT times
//
// PATH has one %d, which is replaced by a key number below KEYS. Prints one JSON object. Latencies are of whole requests.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sign.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

// xorshift64: random enough to spread keys, and incompressible enough for a disk.
static uint64_t seed = 88172645463325252ull;
static uint64_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static char *random_bytes(size_t size) {
  char *bytes = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  if (!bytes) die("memory");
  for (size_t at = 0; at < (size + 7) / 8; at++) ((uint64_t *)bytes)[at] = next();
  return bytes;
}

typedef struct {
  int fd;
  char head[2048];       // of the request
  size_t head_size, sent;  // sent: of head and body together
  char answer[8192];     // the head of the answer
  size_t answer_size;
  int64_t rest;          // of the answer's body; -1 while its head is not complete
  double begin;
  int closes;
} Connection;

static const char *path, *body;
static size_t size;
static int puts_, keys, port;
static uint64_t requests, errors, bytes;
static double *latencies;
static size_t latency_count, latency_room;

static void begin(Connection *c) {
  char target[512];
  snprintf(target, sizeof target, path, (int)(next() % keys));
  char length[64] = "", signature[SIGNATURE_BYTES] = "";
  if (puts_) snprintf(length, sizeof length, "Content-Length: %zu\r\n", size);
  const char *method = puts_ ? "PUT" : "GET";
  if (signer.secret) sign(signature, method, target);
  c->head_size = snprintf(c->head, sizeof c->head, "%s %s HTTP/1.1\r\nHost: v\r\n%s%s\r\n", method, target, length, signature);
  c->sent = c->answer_size = 0;
  c->rest = -1;
  c->begin = now();
}

static void connect_(Connection *c) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

// Sends what can be sent; 1 when all of the request is out.
static int send_some(Connection *c) {
  size_t all = c->head_size + (puts_ ? size : 0);
  while (c->sent < all) {
    int in_head = c->sent < c->head_size;
    const char *from = in_head ? c->head + c->sent : body + (c->sent - c->head_size);
    size_t count = in_head ? c->head_size - c->sent : all - c->sent;
    ssize_t done = send(c->fd, from, count, MSG_NOSIGNAL | (in_head && puts_ && size ? MSG_MORE : 0));
    if (done < 0) {
      if (errno == EAGAIN) return 0;
      die("send");
    }
    c->sent += done;
  }
  return 1;
}

static void head_complete(Connection *c, char *end) {
  *end = 0;
  int code = atoi(c->answer + 9);
  if (code < 200 || code > 299) {
    if (errors++ == 0) fprintf(stderr, "%.300s\n", c->answer);
  }
  char *length = strcasestr(c->answer, "\r\ncontent-length:");
  c->closes = strcasestr(c->answer, "\r\nconnection: close") != NULL;
  c->rest = code == 204 || !length ? 0 : atoll(length + 17);
}

static char sink[1 << 20];

// Reads what there is; 1 when the answer is complete.
static int read_some(Connection *c) {
  for (;;) {
    if (c->rest == 0) return 1;
    int in_head = c->rest < 0;
    char *to = in_head ? c->answer + c->answer_size : sink;
    size_t room = in_head ? sizeof c->answer - 1 - c->answer_size : sizeof sink;
    if (!in_head && (int64_t)room > c->rest) room = c->rest;
    ssize_t done = recv(c->fd, to, room, 0);
    if (done < 0 && errno == EAGAIN) return 0;
    if (done <= 0) {
      fprintf(stderr, "the server closed the connection: %s\n", done ? strerror(errno) : "end");
      exit(1);
    }
    if (!in_head) {
      c->rest -= done;
      bytes += done;
      continue;
    }
    c->answer_size += done;
    c->answer[c->answer_size] = 0;
    char *end = strstr(c->answer, "\r\n\r\n");
    if (end) {
      int64_t more = c->answer + c->answer_size - (end + 4);
      head_complete(c, end);
      c->rest -= more;
      bytes += more;
    } else if (c->answer_size == sizeof c->answer - 1) {
      fprintf(stderr, "an answer's head of more than %zu bytes\n", sizeof c->answer);
      exit(1);
    }
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void finished(Connection *c) {
  requests++;
  if (puts_) bytes += size;
  if (latency_count == latency_room) {
    latency_room = latency_room ? latency_room * 2 : 1 << 16;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
  }
  latencies[latency_count++] = now() - c->begin;
}

static double percentile(double share) {
  return latency_count ? latencies[(size_t)(share * (latency_count - 1))] * 1e6 : 0;
}

static int http(char **argument, int is_signed) {
  port = atoi(argument[0]);
  path = argument[1];
  puts_ = !strcmp(argument[2], "put");
  size = atoll(argument[3]);
  int count = atoi(argument[4]);
  double seconds = atof(argument[5]);
  keys = atoi(argument[6]);
  body = random_bytes(size ? size : 1);
  if (is_signed) sign_with(argument[7], !strcmp(argument[8], "signed"), body, puts_ ? size : 0);
  Connection *connections = calloc(count, sizeof *connections);
  int poller = epoll_create1(EPOLL_CLOEXEC), open = count;
  double start = now(), end = start + seconds;
  for (int i = 0; i < count; i++) {
    Connection *c = connections + i;
    connect_(c);
    begin(c);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
  }
  while (open > 0) {
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, 30000);
    if (ready == 0) {
      fprintf(stderr, "no answer for 30 s on %d connections\n", open);
      return 1;
    }
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      send_some(c);
      while (read_some(c)) {
        finished(c);
        if (now() >= end) {  // requests that have begun are brought to their end, and counted
          close(c->fd);
          open--;
          break;
        }
        if (c->closes) {
          close(c->fd);
          connect_(c);
          struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
          epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
        }
        begin(c);
        send_some(c);
      }
    }
  }
  seconds = now() - start;
  qsort(latencies, latency_count, sizeof *latencies, compare);
  printf("{\"requests\": %lu, \"errors\": %lu, \"bytes\": %lu, \"seconds\": %f, \"requests_per_second\": %f, "
         "\"bytes_per_second\": %f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
         requests, errors, bytes, seconds, requests / seconds, bytes / seconds, percentile(0.5), percentile(0.99));
  return 0;
}

static int disk(char **argument) {
  size_t one = atoll(argument[1]), all = one * atoll(argument[2]);
  int count = atoi(argument[3]);
  char *from = random_bytes(all);
  int fd = open(argument[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) die(argument[0]);
  double start = now();
  for (int i = 0; i < count; i++) {
    for (size_t done = 0; done < all;) {
      ssize_t now_ = write(fd, from + done, all - done);
      if (now_ < 0) die("write");
      done += now_;
    }
    if (fdatasync(fd)) die("fdatasync");
  }
  double seconds = now() - start;
  printf("{\"syncs\": %d, \"seconds\": %f, \"syncs_per_second\": %f, \"bytes_per_second\": %f}\n", count, seconds,
         count / seconds, all * (double)count / seconds);
  return 0;
}

int main(int count, char **argument) {
  if ((count == 9 || count == 11) && !strcmp(argument[1], "http")) return http(argument + 2, count == 11);
  if (count == 6 && !strcmp(argument[1], "disk")) return disk(argument + 2);
  fprintf(stderr, "usage: load http PORT PATH get|put SIZE CONNECTIONS SECONDS KEYS [ID:SECRET signed|unsigned] | load disk FILE BYTES BATCH COUNT\n");
  return 2;
}
