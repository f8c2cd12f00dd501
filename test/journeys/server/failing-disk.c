/*
 * Loaded before a server (LD_PRELOAD): while the file $FAILING_SWITCH says `read`, `write` or `flush`, that is what fails with EIO of the files below
 * $FAILING_FOLDER, as on a disk that is about to die; `write` fails flushes as well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int lies_there(int fd) {
  const char *folder = getenv("FAILING_FOLDER");
  char link[64], path[4096];
  if (folder == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static int fails(const char *what, int fd) {
  const char *name = getenv("FAILING_SWITCH");
  FILE *file = name == NULL ? NULL : fopen(name, "r");
  char said[16] = "";
  if (file == NULL) return 0;
  int found = fscanf(file, "%15s", said);
  fclose(file);
  if (found != 1 || strcmp(said, what) != 0 || !lies_there(fd)) return 0;
  errno = EIO;
  return 1;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

#define READS(name) \
  ssize_t name(int fd, void *to, size_t count, off64_t at) { \
    return fails("read", fd) ? -1 : REAL(ssize_t, #name, int, void *, size_t, off64_t)(fd, to, count, at); \
  }
#define WRITES(name) \
  ssize_t name(int fd, const void *from, size_t count, off64_t at) { \
    return fails("write", fd) ? -1 : REAL(ssize_t, #name, int, const void *, size_t, off64_t)(fd, from, count, at); \
  }
#define FLUSHES(name) \
  int name(int fd) { return fails("write", fd) || fails("flush", fd) ? -1 : REAL(int, #name, int)(fd); }

READS(pread)
READS(pread64)
WRITES(pwrite)
WRITES(pwrite64)
FLUSHES(fsync)
FLUSHES(fdatasync)
