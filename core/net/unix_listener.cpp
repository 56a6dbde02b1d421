#include "core/net/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.h"

namespace gateway::core::net {
namespace {

using boost::asio::local::stream_protocol;
using boost::system::error_code;

Error socket_trouble(std::string_view what, const std::string& path, const error_code& error) {
  return {Code::io, cat("cannot ", what, " the socket ", path, ": ", error.message())};
}

/// 0, or why nobody answers there. Does not wait where a living daemon has its hands full.
int connect_errno(const std::string& path) {
  const stream_protocol::endpoint there(path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int code =
      ::connect(fd, there.data(), static_cast<socklen_t>(there.size())) == 0 ? 0 : errno;
  ::close(fd);
  return code == EAGAIN ? 0 : code;
}

/// Takes away what a crashed daemon left; Code::exists when a living one answers.
Status clear_path(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return Error(Code::exists,
                 cat(path, " exists and is not a socket; remove it or choose another path"));
  }
  const int code = connect_errno(path);
  if (code == 0) {
    return Error(Code::exists,
                 cat("another process answers on ", path, "; is the daemon running already?"));
  }
  const bool stale = code == ECONNREFUSED && (::unlink(path.c_str()) == 0 || errno == ENOENT);
  if (stale || code == ENOENT) return {};
  return socket_trouble(
      "replace", path,
      error_code(code == ECONNREFUSED ? errno : code, boost::system::system_category()));
}

Status bind_to(stream_protocol::acceptor& acceptor, const std::string& path, int backlog) {
  error_code error;
  acceptor.open(stream_protocol(), error);
  if (error) return socket_trouble("open", path, error);
  // Nobody may connect between bind and chmod: Linux takes the file's mode from the socket.
  ::fchmod(acceptor.native_handle(), 0600);
  acceptor.bind(stream_protocol::endpoint(path), error);
  if (error) return socket_trouble("create", path, error);
  if (::chmod(path.c_str(), 0660) != 0) {
    return socket_trouble("open up", path, error_code(errno, boost::system::system_category()));
  }
  acceptor.listen(backlog, error);
  if (error) return socket_trouble("listen on", path, error);
  return {};
}

}  // namespace

Status check_socket_path(const std::string& path) {
  if (!path.empty() && path.size() < sizeof(sockaddr_un::sun_path)) return {};
  return Error(Code::invalid, cat("the socket path must have 1 to ",
                                  sizeof(sockaddr_un::sun_path) - 1, " characters: ", path));
}

Status listen_at(stream_protocol::acceptor& acceptor, const std::string& path, int backlog) {
  GW_CHECK(check_socket_path(path));
  GW_CHECK(clear_path(path));
  return bind_to(acceptor, path, backlog);
}

}  // namespace gateway::core::net
