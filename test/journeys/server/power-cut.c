/*
 * Loaded before a server (LD_PRELOAD): of each file below $CUT_FOLDER that is flushed, $CUT_DISK holds what was in it when the last flush began
 * that has ended – all that a disk is sure to hold when the power fails. Flushes of what lies in $CUT_SLOW outside a main thread take longer, so that much is
 * under way there when others tell of it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static const useconds_t longer = 400000;

static int path_of(int fd, char *path, size_t size) {
  const char *folder = getenv("CUT_FOLDER");
  char link[64];
  struct stat about;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (folder == NULL || length < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
  path[length] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static int copy(const char *from, const char *to) {
  char bytes[65536];
  ssize_t length = -1;
  int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in >= 0 && out >= 0)
    while ((length = read(in, bytes, sizeof bytes)) > 0)
      if (write(out, bytes, length) != length) break;
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return length == 0;
}

static int flushed(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *disk = getenv("CUT_DISK");
  char path[4096], lock[4200], begun[4200], done[4200];
  if (disk == NULL || !path_of(fd, path, sizeof path)) return real(fd);
  const char *slow = getenv("CUT_SLOW");
  if (slow != NULL && strncmp(path, slow, strlen(slow)) == 0 && syscall(SYS_gettid) != getpid()) usleep(longer);
  const char *base = strrchr(path, '/') + 1;
  snprintf(lock, sizeof lock, "%s/lock", disk);
  snprintf(begun, sizeof begun, "%s/%s.begun", disk, base);
  snprintf(done, sizeof done, "%s/%s.done", disk, base);
  int turn = open(lock, O_RDWR | O_CREAT, 0600);
  flock(turn, LOCK_EX);
  int copied = copy(path, begun), result = real(fd);
  if (copied && result == 0) rename(begun, done);
  close(turn);
  return result;
}

int fsync(int fd) { return flushed("fsync", fd); }
int fdatasync(int fd) { return flushed("fdatasync", fd); }
