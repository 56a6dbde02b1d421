#include "crypto/secret_file.h"

#include <utility>

#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

core::Status overwrite(core::File& file) {
  GW_TRY(const std::uint64_t size, file.size());
  const std::string noise = core::random_bytes(size);
  GW_CHECK(file.write_at(0, as_octets(noise)));
  return file.sync();
}

}  // namespace

core::Status replace_secret_file(core::Files& files, const std::string& path,
                                 std::string_view content) {
  auto former = files.open_write(path);  // stays open while its name goes to the new one
  if (!former.ok() && former.error().code() != core::Code::not_found) {
    return std::move(former).error();
  }
  GW_CHECK(core::write_file_durably(files, path, content));
  if (!former.ok()) return {};
  // The new file counts already, whatever becomes of the old one's blocks.
  if (const auto gone = overwrite(**former); !gone.ok()) {
    core::log_warn("crypto", core::cat("the former content of ", path,
                                       " was not overwritten: ", gone.error().message()));
  }
  return {};
}

}  // namespace gateway::crypto
