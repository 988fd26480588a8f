/* Answers getaddrinfo() from the file that NAMES names: lines "NAME ADDRESS". The address "slow" gives no answer within
   any test, "none" fails at once. Read again for each question; other names go to the system. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int query(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int find(const char *name, char *address) {
  const char *path = getenv("NAMES");
  FILE *file = path ? fopen(path, "r") : NULL;
  char known[256];
  int found = 0;
  while (file && !found && fscanf(file, "%255s %63s", known, address) == 2)
    found = strcmp(known, name) == 0;
  if (file) fclose(file);
  return found;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  query *system_query = (query *)dlsym(RTLD_NEXT, "getaddrinfo");
  char address[64];
  if (!name || !find(name, address)) return system_query(name, service, hints, list);
  if (strcmp(address, "slow") == 0) sleep(3600);
  if (strcmp(address, "slow") == 0 || strcmp(address, "none") == 0) return EAI_AGAIN;
  return system_query(address, service, hints, list);
}
