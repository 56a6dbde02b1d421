// When the certificates of a PEM file end, for the operator. Reads public parts only.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::core::net {

struct CertificateDates {
  std::string subject;         // common name of the first one
  std::string ends;            // of the one that ends first: its last day, YYYY-MM-DD
  std::int64_t days_left = 0;  // of that one; negative once it has ended
  std::int64_t ends_at_s = 0;  // the same as seconds since 1970
};

/// Code::invalid: the file holds no certificate, or cannot be read.
Result<CertificateDates> read_certificate_dates(const std::string& path, Wall now);

}  // namespace gateway::core::net
