// Signature Version 4 of a request without a query: host, date and the body's hash are signed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SIGNATURE_BYTES = 640 };

static struct {
  char id[128];
  const char *secret;      // null: nothing is signed
  char body[65];           // its SHA-256 in hex, or UNSIGNED-PAYLOAD
  char day[9];             // that `key` is for
  unsigned char key[32];
} signer;

static void hex(char *to, const unsigned char *from) {
  for (int i = 0; i < 32; i++) sprintf(to + 2 * i, "%02x", from[i]);
}

static void mac(unsigned char *to, const void *key, int key_bytes, const char *text) {
  HMAC(EVP_sha256(), key, key_bytes, (const unsigned char *)text, strlen(text), to, NULL);
}

static void sign_with(char *credentials, int with_body, const char *body, size_t size) {
  char *colon = strchr(credentials, ':');
  snprintf(signer.id, sizeof signer.id, "%.*s", (int)(colon - credentials), credentials);
  signer.secret = colon + 1;
  unsigned char hash[32];
  strcpy(signer.body, "UNSIGNED-PAYLOAD");
  if (with_body) hex(signer.body, SHA256((const unsigned char *)body, size, hash));
}

static void take_day(const char *day) {
  if (!strcmp(signer.day, day)) return;
  strcpy(signer.day, day);
  char first[256];
  snprintf(first, sizeof first, "AWS4%s", signer.secret);
  mac(signer.key, first, strlen(first), day);
  const char *steps[] = {"us-east-1", "s3", "aws4_request"};
  for (int i = 0; i < 3; i++) mac(signer.key, signer.key, 32, steps[i]);
}

// The headers of a request, each with its line's end.
static void sign(char *to, const char *method, const char *path) {
  time_t seconds = time(NULL);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  char date[17], day[9], request[1024], text[512], hash_hex[65], signature[65];
  strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &parts);
  strftime(day, sizeof day, "%Y%m%d", &parts);
  take_day(day);
  const char *names = "host;x-amz-content-sha256;x-amz-date";
  int size = snprintf(request, sizeof request, "%s\n%s\n\nhost:v\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s",
                      method, path, signer.body, date, names, signer.body);
  unsigned char hash[32];
  hex(hash_hex, SHA256((unsigned char *)request, size, hash));
  snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s/us-east-1/s3/aws4_request\n%s", date, day, hash_hex);
  mac(hash, signer.key, 32, text);
  hex(signature, hash);
  snprintf(to, SIGNATURE_BYTES,
           "x-amz-date: %s\r\nx-amz-content-sha256: %s\r\nAuthorization: AWS4-HMAC-SHA256 "
           "Credential=%s/%s/us-east-1/s3/aws4_request, SignedHeaders=%s, Signature=%s\r\n",
           date, signer.body, signer.id, day, names, signature);
}
