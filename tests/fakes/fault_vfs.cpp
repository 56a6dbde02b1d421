#include "tests/fakes/fault_vfs.h"

#include <sqlcipher/sqlite3.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "core/text.h"

namespace gateway::fakes {
namespace {

constexpr int kSectorBytes = 4096;
constexpr int kPathMax = 512;

thread_local int last_os_error = 0;

/// What the connections of one process share of one database file.
struct Shared {
  int readers = 0;                 // connections with SHARED or more
  const void* reserved = nullptr;  // who has RESERVED or more
  bool pending = false;            // no new reader may come
  std::array<int, SQLITE_SHM_NLOCK> memory_readers{};
  std::array<bool, SQLITE_SHM_NLOCK> memory_writer{};
  std::vector<std::unique_ptr<std::byte[]>> memory;
  int memory_users = 0;
};

struct Disk {
  FaultFiles& files;
  std::mutex mutex;
  std::map<std::string, Shared> shared;
};

/// SQLite allocates it and sees `base` only.
struct OpenFile {
  sqlite3_file base;
  Disk* disk;
  std::string path;
  std::unique_ptr<FaultFile> file;
  bool name_unsynced;  // a journal just made: its first sync makes its name durable too
  int level = SQLITE_LOCK_NONE;
  bool uses_memory = false;
  unsigned memory_shared = 0;  // bits of the slots held
  unsigned memory_exclusive = 0;
};

OpenFile& self(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }

int fail(const core::Error& error, int code) {
  last_os_error = error.code() == core::Code::no_space ? ENOSPC : EIO;
  return error.code() == core::Code::no_space && code == SQLITE_IOERR_WRITE ? SQLITE_FULL : code;
}

int answer(const core::Status& status, int code) {
  return status.ok() ? SQLITE_OK : fail(status.error(), code);
}

std::string folder_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

int close_file(sqlite3_file* file) {
  self(file).~OpenFile();
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
  const auto size = static_cast<std::size_t>(count);
  auto got = self(file).file->read_at(static_cast<std::uint64_t>(offset),
                                      {static_cast<std::byte*>(out), size});
  if (!got.ok()) return fail(got.error(), SQLITE_IOERR_READ);
  if (*got == size) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + *got, 0, size - *got);
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* in, int count, sqlite3_int64 offset) {
  return answer(self(file).file->write_at(
                    static_cast<std::uint64_t>(offset),
                    {static_cast<const std::byte*>(in), static_cast<std::size_t>(count)}),
                SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return answer(self(file).file->truncate(static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* file, int) {
  OpenFile& open = self(file);
  if (auto synced = open.file->sync(); !synced.ok()) {
    return fail(synced.error(), SQLITE_IOERR_FSYNC);
  }
  if (!open.name_unsynced) return SQLITE_OK;
  open.name_unsynced = false;
  return answer(open.disk->files.sync_folder(folder_of(open.path)), SQLITE_IOERR_DIR_FSYNC);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  auto answered = self(file).file->size();
  if (!answered.ok()) return fail(answered.error(), SQLITE_IOERR_FSTAT);
  *size = static_cast<sqlite3_int64>(*answered);
  return SQLITE_OK;
}

int lock_file(sqlite3_file* file, int level) {
  OpenFile& open = self(file);
  std::lock_guard lock(open.disk->mutex);
  Shared& shared = open.disk->shared[open.path];
  if (open.level >= level) return SQLITE_OK;
  if (open.level == SQLITE_LOCK_NONE) {
    if (shared.pending) return SQLITE_BUSY;
    ++shared.readers;
    open.level = SQLITE_LOCK_SHARED;
  }
  if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
  if (shared.reserved != nullptr && shared.reserved != &open) return SQLITE_BUSY;
  shared.reserved = &open;
  open.level = SQLITE_LOCK_RESERVED;
  if (level == SQLITE_LOCK_RESERVED) return SQLITE_OK;
  shared.pending = true;
  open.level = SQLITE_LOCK_PENDING;
  if (shared.readers > 1) return SQLITE_BUSY;
  open.level = level;
  return SQLITE_OK;
}

int unlock_file(sqlite3_file* file, int level) {
  OpenFile& open = self(file);
  std::lock_guard lock(open.disk->mutex);
  Shared& shared = open.disk->shared[open.path];
  if (open.level <= level) return SQLITE_OK;
  if (shared.reserved == &open) {
    shared.reserved = nullptr;
    shared.pending = false;
  }
  if (level == SQLITE_LOCK_NONE) --shared.readers;
  open.level = level;
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* file, int* held) {
  OpenFile& open = self(file);
  std::lock_guard lock(open.disk->mutex);
  *held = open.disk->shared[open.path].reserved != nullptr ? 1 : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return kSectorBytes; }
int device_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int map_memory(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
  OpenFile& open = self(file);
  std::lock_guard lock(open.disk->mutex);
  Shared& shared = open.disk->shared[open.path];
  if (!std::exchange(open.uses_memory, true)) ++shared.memory_users;
  *out = nullptr;
  const auto index = static_cast<std::size_t>(region);
  if (shared.memory.size() <= index && extend == 0) return SQLITE_OK;
  while (shared.memory.size() <= index) {
    shared.memory.push_back(std::make_unique<std::byte[]>(static_cast<std::size_t>(bytes)));
  }
  *out = shared.memory[index].get();
  return SQLITE_OK;
}

int lock_memory(sqlite3_file* file, int first, int count, int flags) {
  OpenFile& open = self(file);
  std::lock_guard lock(open.disk->mutex);
  Shared& shared = open.disk->shared[open.path];
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  unsigned& held = exclusive ? open.memory_exclusive : open.memory_shared;
  const bool locks = (flags & SQLITE_SHM_LOCK) != 0;
  for (int i = first; locks && i < first + count; ++i) {
    const auto slot = static_cast<std::size_t>(i);
    const unsigned bit = 1U << slot;
    const int others = shared.memory_readers[slot] - ((open.memory_shared & bit) != 0 ? 1 : 0);
    const bool writer = shared.memory_writer[slot] && (open.memory_exclusive & bit) == 0;
    if (writer || (exclusive && others > 0)) return SQLITE_BUSY;
  }
  for (int i = first; i < first + count; ++i) {
    const auto slot = static_cast<std::size_t>(i);
    const unsigned bit = 1U << slot;
    if (((held & bit) != 0) == locks) continue;
    held ^= bit;
    if (exclusive) {
      shared.memory_writer[slot] = locks;
    } else {
      shared.memory_readers[slot] += locks ? 1 : -1;
    }
  }
  return SQLITE_OK;
}

void fence_memory(sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); }

int unmap_memory(sqlite3_file* file, int) {
  OpenFile& open = self(file);
  std::lock_guard lock(open.disk->mutex);
  Shared& shared = open.disk->shared[open.path];
  if (std::exchange(open.uses_memory, false) && --shared.memory_users == 0) shared.memory.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {2,
                                         close_file,
                                         read_file,
                                         write_file,
                                         truncate_file,
                                         sync_file,
                                         file_size,
                                         lock_file,
                                         unlock_file,
                                         check_reserved_lock,
                                         file_control,
                                         sector_size,
                                         device_characteristics,
                                         map_memory,
                                         lock_memory,
                                         fence_memory,
                                         unmap_memory,
                                         nullptr,
                                         nullptr};

Disk& disk_of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* out, int flags,
              int* flags_out) {
  out->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temp_store = MEMORY: there are no such files
  Disk& disk = disk_of(vfs);
  auto file = disk.files.open_cuttable(name);
  bool made = false;
  if (!file.ok() && file.error().code() == core::Code::not_found &&
      (flags & SQLITE_OPEN_CREATE) != 0) {
    file = disk.files.create_cuttable(name);
    made = file.ok();
  }
  if (!file.ok()) return fail(file.error(), SQLITE_CANTOPEN);
  const bool journal = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  new (out) OpenFile{{&kMethods}, &disk, name, std::move(*file), made && journal};
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  FaultFiles& files = disk_of(vfs).files;
  auto removed = files.remove(name);
  if (!removed.ok() && removed.error().code() == core::Code::not_found) {
    return SQLITE_IOERR_DELETE_NOENT;
  }
  if (!removed.ok()) return fail(removed.error(), SQLITE_IOERR_DELETE);
  if (sync_folder == 0) return SQLITE_OK;
  return answer(files.sync_folder(folder_of(name)), SQLITE_IOERR_DIR_FSYNC);
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* there) {
  auto exists = disk_of(vfs).files.exists(name);
  if (!exists.ok()) return fail(exists.error(), SQLITE_IOERR_ACCESS);
  *there = *exists ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int room, char* out) {
  if (std::strlen(name) >= static_cast<std::size_t>(room)) return SQLITE_CANTOPEN;
  std::strcpy(out, name);
  return SQLITE_OK;
}

sqlite3_vfs* real() { return sqlite3_vfs_find("unix"); }
int randomness(sqlite3_vfs*, int count, char* out) {
  return real()->xRandomness(real(), count, out);
}
int sleep(sqlite3_vfs*, int microseconds) { return real()->xSleep(real(), microseconds); }
int current_time(sqlite3_vfs*, double* now) { return real()->xCurrentTime(real(), now); }
int current_time_exact(sqlite3_vfs*, sqlite3_int64* now) {
  return real()->xCurrentTimeInt64(real(), now);
}
int last_error(sqlite3_vfs*, int, char*) { return last_os_error; }

}  // namespace

struct FaultVfs::Registration {
  explicit Registration(FaultFiles& files) : disk{files, {}, {}} {
    static std::atomic<unsigned> numbers{0};
    name = core::cat("fault-", ++numbers);
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(OpenFile);
    vfs.mxPathname = kPathMax;
    vfs.zName = name.c_str();
    vfs.pAppData = &disk;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_path;
    vfs.xRandomness = randomness;
    vfs.xSleep = sleep;
    vfs.xCurrentTime = current_time;
    vfs.xGetLastError = last_error;
    vfs.xCurrentTimeInt64 = current_time_exact;
  }

  Disk disk;
  std::string name;
  sqlite3_vfs vfs{};
};

FaultVfs::FaultVfs(FaultFiles& files)
    : files_(files), registration_(std::make_unique<Registration>(files)) {
  sqlite3_vfs_register(&registration_->vfs, 0);
  files_.set_database_vfs(registration_->name);
}

FaultVfs::~FaultVfs() {
  files_.set_database_vfs("");
  sqlite3_vfs_unregister(&registration_->vfs);
}

}  // namespace gateway::fakes
