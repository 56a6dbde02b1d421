// `clinic-gateway audit verify|export|checkpoint`. Page by page over the control socket: memory
// stays at one page however long the trail is.
#pragma once

#include <string>

#include "core/result.h"

namespace gateway::cli {

struct AuditOptions {
  std::string socket;
  bool json = false;
  std::string checkpoint_file;               // verify; empty: none
  std::string since, until, patient, actor;  // export; empty: all
};

/// Prints the verdict. An error when the chain is broken, or does not hold the checkpoint's row, or
/// the checkpoint is not signed by this gateway's key.
core::Status verify_audit(const AuditOptions& options);
/// NDJSON on standard output.
core::Status export_audit(const AuditOptions& options);
core::Status print_checkpoint(const AuditOptions& options);

}  // namespace gateway::cli
