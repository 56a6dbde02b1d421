// What goes to a PACS in place of an instance's stored bytes: the image of a patient whose identity
// was corrected since (CLINICAL.md, Identity), or the same pixels compressed for a slow link. The
// stored object stays as it is, and what was sent is known by its digest.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

class Holdings;

/// A DICOM file.
struct SentForm {
  std::string file;
  bool is_compressed = false;  // by us, without loss: a PACS may not take it
};

/// The file to send; nothing: the stored bytes go. `compresses`: where that makes it smaller. What
/// stands at the DICOM end registers it. Code::invalid: it has to be written anew and cannot be.
/// Blocking, in memory as a whole.
using WriteAnew = std::function<core::Result<std::optional<SentForm>>(
    Holdings& holdings, std::int64_t row, bool compresses)>;

/// SHA-256 in hex of the data set of a DICOM file. Code::invalid: it is none.
core::Result<std::string> digest_of_file(std::string_view file);

/// Before it is sent. Inside the caller's transaction.
core::Status keep_sent_form(crypto::Connection& connection, std::int64_t instance,
                            const std::string& uplink, const std::string& digest);
core::Result<bool> was_sent_as(crypto::Connection& connection, std::int64_t instance,
                               const std::string& uplink, const std::string& digest);

}  // namespace gateway::sync
