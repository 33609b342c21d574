/*
 * A disk that can be told to be slow, full or broken, and that knows what a power cut would leave. Loaded into the
 * program with LD_PRELOAD by troubled-disk.ts, which shares the numbers of `struct orders` with it through a file.
 * Touches only files below DISK_FOLDER.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The order of these is that of ORDERS in troubled-disk.ts. */
struct orders {
  int32_t sync_delay_ms; /* each sync waits so long */
  int32_t sync_errno;    /* each sync fails so; 0: not */
  int32_t write_errno;   /* each write and truncation fails so; 0: not */
  int32_t spared;        /* so many syncs go well before sync_errno counts */
  int32_t forget;        /* a failed sync of a log takes back what was written to it since the last, as the system may */
  int32_t early_percent; /* of writes reach the disk before anybody asked for it */
  int32_t syncs;         /* counted here */
  int32_t failed;        /* syncs and writes that failed by our order */
};

/* What was written to a file and not yet synced. */
struct range { off_t from; off_t to; };
struct file {
  dev_t dev; ino_t ino;
  struct range *ranges; size_t count, room;
  struct file *next;
};

static struct orders none;
static volatile struct orders *orders = &none;
static char folder[4096], shadow[4096];
static struct file *files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t dice = 1;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  const char *path = getenv("DISK_ORDERS");
  if (getenv("DISK_FOLDER")) snprintf(folder, sizeof folder, "%s/", getenv("DISK_FOLDER"));
  if (getenv("DISK_SHADOW")) snprintf(shadow, sizeof shadow, "%s/", getenv("DISK_SHADOW"));
  if (getenv("DISK_SEED")) dice = (uint32_t)atoi(getenv("DISK_SEED")) * 2654435761u + 1;
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd >= 0) {
    void *at = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) orders = at;
    close(fd);
  }
}

/* The path of a file that is ours; 0 if it is not. What is mapped into memory (-shm) is lost in a power cut anyway. */
static int ours(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = folder[0] ? readlink(link, path, 4095) : -1;
  if (length <= 0) return 0;
  path[length] = 0;
  if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static void shadow_of(const char *path, char *out) {
  snprintf(out, 8192, "%s%s", shadow, path + strlen(folder));
}

static void make_folders(char *path) {
  for (char *at = path + strlen(shadow); (at = strchr(at, '/')); at++) { *at = 0; mkdir(path, 0700); *at = '/'; }
}

static struct file *known(int fd) {
  struct stat s;
  if (fstat(fd, &s) != 0) return NULL;
  for (struct file *f = files; f; f = f->next) if (f->dev == s.st_dev && f->ino == s.st_ino) return f;
  struct file *f = calloc(1, sizeof *f);
  f->dev = s.st_dev; f->ino = s.st_ino; f->next = files;
  return files = f;
}

/* Brings a range of the file to the shadow: now it is on the disk. */
static void keep(int fd, const char *path, off_t from, off_t to) {
  char target[8192], buffer[65536];
  shadow_of(path, target);
  make_folders(target);
  /* What SQLite has open may not be opened again: closing it would give its locks back. It can read, writeFile cannot. */
  int canRead = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
  int in = canRead ? fd : open(path, O_RDONLY | O_CLOEXEC), out = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  while (in >= 0 && out >= 0 && from < to) {
    size_t want = (size_t)(to - from) < sizeof buffer ? (size_t)(to - from) : sizeof buffer;
    ssize_t got = pread(in, buffer, want, from);
    if (got <= 0) break;
    real_pwrite(out, buffer, (size_t)got, from);
    from += got;
  }
  if (out >= 0) close(out);
  if (in >= 0 && in != fd) close(in);
}

/* The other way round: the system drops its pages, and the next look finds what the disk has. */
static void revert(int fd, const char *path, off_t from, off_t to) {
  char source[8192], buffer[4096];
  shadow_of(path, source);
  int in = open(source, O_RDONLY | O_CLOEXEC);
  while (from < to) {
    size_t want = (size_t)(to - from) < sizeof buffer ? (size_t)(to - from) : sizeof buffer;
    memset(buffer, 0, sizeof buffer);
    if (in >= 0 && pread(in, buffer, want, from) < 0) errno = 0;
    real_pwrite(fd, buffer, want, from);
    from += want;
  }
  if (in >= 0) close(in);
}

static void wrote(int fd, const char *path, off_t from, ssize_t length) {
  if (length <= 0) return;
  pthread_mutex_lock(&lock);
  dice = dice * 1664525u + 1013904223u;
  if (shadow[0] && (int)((dice >> 8) % 100) < orders->early_percent) keep(fd, path, from, from + length);
  else {
    struct file *f = known(fd);
    if (f) {
      struct range *last = f->count ? &f->ranges[f->count - 1] : NULL;
      if (last && last->to == from) last->to = from + length;
      else {
        if (f->count == f->room) f->ranges = realloc(f->ranges, (f->room = f->room * 2 + 16) * sizeof(struct range));
        f->ranges[f->count++] = (struct range){from, from + length};
      }
    }
  }
  pthread_mutex_unlock(&lock);
}

static int refused(int number) {
  if (number == 0) return 0;
  __atomic_add_fetch(&orders->failed, 1, __ATOMIC_SEQ_CST);
  errno = number;
  return 1;
}

static int is_log(const char *path) {
  size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, "-wal") == 0;
}

static int synced(int fd, int (*real)(int)) {
  char path[4096];
  if (!ours(fd, path)) return real(fd);
  __atomic_add_fetch(&orders->syncs, 1, __ATOMIC_SEQ_CST);
  if (orders->sync_delay_ms > 0) {
    struct timespec wait = {orders->sync_delay_ms / 1000, orders->sync_delay_ms % 1000 * 1000000L};
    nanosleep(&wait, NULL);
  }
  int number = orders->sync_errno;
  if (number != 0 && orders->spared > 0) { __atomic_sub_fetch(&orders->spared, 1, __ATOMIC_SEQ_CST); number = 0; }
  pthread_mutex_lock(&lock);
  struct file *f = known(fd);
  if (number != 0 && orders->forget && f && shadow[0] && is_log(path))
    for (size_t at = 0; at < f->count; at++) revert(fd, path, f->ranges[at].from, f->ranges[at].to);
  if (number == 0 && f && shadow[0])
    for (size_t at = 0; at < f->count; at++) keep(fd, path, f->ranges[at].from, f->ranges[at].to);
  /* After a failure the system thinks that the pages are clean: the next sync says nothing of them. */
  if (f) f->count = 0;
  pthread_mutex_unlock(&lock);
  return refused(number) ? -1 : real(fd);
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  char path[4096];
  if (!ours(fd, path)) return real_pwrite(fd, data, size, at);
  if (refused(orders->write_errno)) return -1;
  ssize_t done = real_pwrite(fd, data, size, at);
  wrote(fd, path, at, done);
  return done;
}

ssize_t write(int fd, const void *data, size_t size) {
  char path[4096];
  if (!ours(fd, path)) return real_write(fd, data, size);
  if (refused(orders->write_errno)) return -1;
  ssize_t done = real_write(fd, data, size);
  if (done > 0) wrote(fd, path, lseek(fd, 0, SEEK_CUR) - done, done);
  return done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  char path[4096];
  if (!ours(fd, path)) return real_pwritev(fd, parts, count, at);
  if (refused(orders->write_errno)) return -1;
  ssize_t done = real_pwritev(fd, parts, count, at);
  wrote(fd, path, at, done);
  return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  char path[4096];
  if (!ours(fd, path)) return real_writev(fd, parts, count);
  if (refused(orders->write_errno)) return -1;
  ssize_t done = real_writev(fd, parts, count);
  if (done > 0) wrote(fd, path, lseek(fd, 0, SEEK_CUR) - done, done);
  return done;
}

int ftruncate(int fd, off_t size) {
  char path[4096], target[8192];
  if (!ours(fd, path)) return real_ftruncate(fd, size);
  if (refused(orders->write_errno)) return -1;
  if (shadow[0]) { shadow_of(path, target); if (truncate(target, size) != 0) errno = 0; }
  return real_ftruncate(fd, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return pwrite(fd, data, size, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return pwritev(fd, parts, count, at); }
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* Names change on the disk at once; what they name is there only as far as it was synced. */
int rename(const char *from, const char *to) {
  char a[8192], b[8192];
  size_t length = strlen(folder);
  int both = shadow[0] && strncmp(from, folder, length) == 0 && strncmp(to, folder, length) == 0;
  int done = real_rename(from, to), number = errno;
  if (both && done == 0) {
    shadow_of(from, a); shadow_of(to, b);
    make_folders(b);
    real_rename(a, b);
  }
  errno = number;
  return done;
}

int unlink(const char *path) {
  char target[8192];
  int done = real_unlink(path), number = errno;
  if (shadow[0] && done == 0 && strncmp(path, folder, strlen(folder)) == 0) { shadow_of(path, target); real_unlink(target); }
  errno = number;
  return done;
}
