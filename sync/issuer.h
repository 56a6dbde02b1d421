// The FHIR system of ids whose issuer is known by a local name only. It means something only among
// those of the same site, so the site's own system takes part.
#pragma once

#include <string>
#include <string_view>

namespace gateway::sync {

/// `site_system`: the site's default system, any URI. An OID or UUID takes no fragment: validators
/// refuse the resource, so a name within one gets a URN of ours.
std::string local_issuer_system(std::string_view site_system, std::string_view name);

}  // namespace gateway::sync
