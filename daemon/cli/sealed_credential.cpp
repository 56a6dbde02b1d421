#include "daemon/cli/sealed_credential.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "crypto/octets.h"
#include "daemon/credential_source.h"

extern char** environ;

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::size_t kOutputMax = 4096;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
      read_end = ends[0];
      write_end = ends[1];
    }
  }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_read() {
    if (read_end >= 0) ::close(std::exchange(read_end, -1));
  }
  void close_write() {
    if (write_end >= 0) ::close(std::exchange(write_end, -1));
  }
};

std::string credential_name() { return cat("--name=", daemon::kSlotCredential); }
std::string unproven(const Sealing& sealing) { return cat(sealing.file, ".new"); }

/// Runs systemd-creds with `input` on its standard input; its standard output, at most kOutputMax
/// bytes. What it complains about goes to this command's standard error.
core::Result<crypto::Secret> run(std::vector<std::string> arguments, std::string_view input) {
  arguments.insert(arguments.begin(), "systemd-creds");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Pipe in;
  Pipe out;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    return Error(Code::unavailable, cat("systemd-creds cannot be run: ", std::strerror(failed)));
  }
  in.close_read();
  out.close_write();
  // A pipe takes this much without anybody reading.
  const bool sent =
      ::write(in.write_end, input.data(), input.size()) == static_cast<ssize_t>(input.size());
  in.close_write();
  crypto::Secret output(kOutputMax);
  std::size_t size = 0;
  while (size < kOutputMax) {
    const ssize_t got = ::read(out.read_end, output.bytes().data() + size, kOutputMax - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  out.close_read();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!sent || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error(Code::refused, cat("systemd-creds ", arguments[1], " failed, see above"));
  }
  return crypto::Secret::copy_of(std::as_const(output).bytes().first(size));
}

std::vector<std::string> with_device(std::vector<std::string> arguments, const Sealing& sealing) {
  if (!sealing.device.empty()) arguments.push_back(cat("--tpm2-device=", sealing.device));
  return arguments;
}

core::Status prove(const Sealing& sealing, std::string_view expected) {
  auto opened =
      run(with_device({"decrypt", credential_name(), unproven(sealing), "-"}, sealing), "");
  if (!opened.ok()) {
    return std::move(opened).error().with_context(
        "the credential was sealed but does not open again, so it is not used");
  }
  if (crypto::as_text(std::as_const(*opened).bytes()) != expected) {
    return Error(Code::corrupt, "the sealed credential opens to something else; it is not used");
  }
  return {};
}

}  // namespace

core::Result<std::string> kind_of_seal(const Sealing& sealing) {
  if (sealing.with != "auto") return sealing.with;
  if (!sealing.device.empty()) return std::string("tpm2");
  // The kernel's own list: systemd-creds has-tpm2 also asks the firmware, which a small board
  // lacks.
  const bool there = ::access("/dev/tpmrm0", F_OK) == 0;
  return std::string(there ? "tpm2" : "host");
}

core::Status seal_credential(const Sealing& sealing, const std::string& with,
                             const crypto::CredentialSecret& secret) {
  core::Files& files = core::system_files();
  GW_TRY(const bool there, files.exists(sealing.file));
  if (there) {
    return Error(Code::exists, cat(sealing.file,
                                   " is there already; remove its slot first (keys list shows it, "
                                   "keys remove ID takes both away)"));
  }
  drop_credential(sealing);
  const crypto::Secret text = daemon::write_slot_key(secret);
  std::vector<std::string> arguments{"encrypt", credential_name(), cat("--with-key=", with)};
  // Never an empty list: systemd 252 seals with it and cannot unseal.
  if (with == "tpm2") {
    arguments.push_back(cat("--tpm2-pcrs=", sealing.pcrs));
    arguments = with_device(std::move(arguments), sealing);
  }
  arguments.insert(arguments.end(), {"-", unproven(sealing)});
  auto sealed = run(std::move(arguments), crypto::as_text(text.bytes()));
  core::Status proven;
  if (!sealed.ok()) {
    proven = std::move(sealed).error();
  } else {
    proven = prove(sealing, crypto::as_text(text.bytes()));
  }
  if (!proven.ok()) drop_credential(sealing);
  return proven;
}

core::Status settle_credential(const Sealing& sealing) {
  core::Files& files = core::system_files();
  GW_TRY(const auto file, files.open_write(unproven(sealing)));
  GW_CHECK(file->sync());
  GW_CHECK(files.rename(unproven(sealing), sealing.file));
  return files.sync_folder(sealing.file.substr(0, sealing.file.rfind('/')));
}

void drop_credential(const Sealing& sealing) { ::unlink(unproven(sealing).c_str()); }

}  // namespace gateway::cli
