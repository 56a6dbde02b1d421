#include "sync/resumable_options.h"

#include <algorithm>
#include <utility>

#include "core/net/url.h"
#include "core/text.h"
#include "sync/bearer_client.h"
#include "sync/options.h"

namespace gateway::sync {
namespace {

using core::KeyType;

// Two instances at once, each in four pieces.
constexpr std::size_t kConnectionsMax = 8;

}  // namespace

std::vector<core::ConfigKey> resumable_config_keys() {
  return {
      {.path = "uplink.*.resumable_url",
       .meaning = "stow: where images above resumable_over_mb go by resumable upload (tus), a "
                  "gateway in the hub role before the PACS: https://HOST[:PORT]/uploads"},
      {.path = "uplink.*.resumable_over_mb",
       .type = KeyType::integer,
       .meaning = "stow: megabytes above which an image goes to resumable_url",
       .default_text = "8",
       .minimum = 0,
       .maximum = 1 << 20},
      {.path = "uplink.*.resumable_token_file",
       .meaning = "stow: file that holds the token for resumable_url; without it the certificate "
                  "of this uplink is shown there"},
  };
}

core::Result<std::unique_ptr<ResumableSender>> make_resumable_sender(
    boost::asio::any_io_executor loop, std::shared_ptr<Holdings> holdings,
    const core::Config& config, const core::Clock& clock, const std::string& name) {
  const auto key = [&](std::string_view last) { return core::cat("uplink.", name, ".", last); };
  const auto named = [&](std::string_view last, core::Error error) {
    return std::move(error).with_context(core::cat(config.where(key(last)), ": ", key(last)));
  };
  const std::string wanted = config.text(key("resumable_url"));
  if (wanted.empty()) return std::unique_ptr<ResumableSender>();
  auto url = core::net::parse_url(wanted);
  if (!url.ok()) return named("resumable_url", url.error());
  GW_TRY(auto options, uplink_client_options(config, name));
  options.url = core::cat(url->tls ? "https://" : "http://", url->peer());
  options.username.clear();  // the PACS's password is none of the hub's business
  options.password.clear();
  options.connections_max = std::max(options.connections_max, kConnectionsMax);
  auto server = core::net::HttpClient::create(std::move(loop), std::move(options));
  if (!server.ok()) return named("resumable_url", server.error());
  const std::string token_file = config.text(key("resumable_token_file"));
  if (!token_file.empty()) {
    const auto token = core::read_secret_file(token_file);
    if (!token.ok()) return named("resumable_token_file", token.error());
    if (!is_bearer_token(*token)) {
      return named("resumable_token_file",
                   {core::Code::invalid, "the file holds no token; write it there as one line"});
    }
    server = with_bearer(std::move(*server), *token);
  }
  const auto over = static_cast<std::uint64_t>(config.integer(key("resumable_over_mb"))) << 20;
  return ResumableSender::create(name,
                                 {std::move(*server), url->base.empty() ? "/" : url->base, over},
                                 std::move(holdings), clock);
}

}  // namespace gateway::sync
