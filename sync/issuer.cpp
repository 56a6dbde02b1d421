#include "sync/issuer.h"

#include "core/net/http.h"
#include "core/text.h"

namespace gateway::sync {

std::string local_issuer_system(std::string_view site_system, std::string_view name) {
  const std::string encoded = core::net::url_encode(name);
  const bool is_number =
      site_system.starts_with("urn:oid:") || site_system.starts_with("urn:uuid:");
  if (!is_number) return core::cat(site_system, "#", encoded);
  return core::cat("urn:clinic-gateway:issuer:", site_system.substr(4), ":", encoded);
}

}  // namespace gateway::sync
