#include "daemon/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {

namespace {

/// What root makes here must not keep the service out.
void give_to_owner(int descriptor, const std::string& folder) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &owner) != 0) return;
  if (::fchown(descriptor, owner.st_uid, owner.st_gid) == 0) return;
  core::log_warn("daemon", core::cat("the lock in ", folder,
                                     " stays root's: ", std::generic_category().message(errno)));
}

}  // namespace

core::Result<std::unique_ptr<StateLock>> StateLock::take(const std::string& state_folder) {
  GW_CHECK(core::system_files().make_folder(state_folder).with_context("storage.state_dir"));
  const std::string path = core::cat(state_folder, "/lock");
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    const int number = errno;
    return core::Error(
        number == ENOSPC || number == EDQUOT ? core::Code::no_space : core::Code::io,
        core::cat("storage.state_dir: open ", path, ": ", std::generic_category().message(number)));
  }
  give_to_owner(descriptor, state_folder);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    ::close(descriptor);
    if (number == EWOULDBLOCK) {
      return core::Error(core::Code::exists,
                         core::cat("another clinic-gatewayd uses ", state_folder,
                                   "; stop it or set another storage.state_dir"));
    }
    return core::Error(core::Code::io, core::cat("storage.state_dir: lock ", path, ": ",
                                                 std::generic_category().message(number)));
  }
  return std::unique_ptr<StateLock>(new StateLock(descriptor));
}

StateLock::~StateLock() { ::close(descriptor_); }

}  // namespace gateway::daemon
