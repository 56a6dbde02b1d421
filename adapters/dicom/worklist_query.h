// A Modality Worklist query against scheduled steps (PS3.4 K.6.1.2): what to select, which steps
// match, what each answer holds. Works on DCMTK's data sets in UTF-8; internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <memory>
#include <string>

#include "adapters/dicom/identifier_keys.h"
#include "core/result.h"
#include "sync/worklist.h"

namespace gateway::adapters::dicom {

class WorklistQuery {
 public:
  /// Of the identifier as received; `character_set` is for one that names none. Code::invalid when
  /// it cannot be read.
  static core::Result<WorklistQuery> parse(const std::string& bytes, E_TransferSyntax syntax,
                                           const std::string& character_set = {});

  /// What the database can select by; matches() decides.
  sync::WorklistSelection selection() const;

  struct Answer {
    std::unique_ptr<DcmDataset> identifier;  // null: the step does not match
    bool all_keys_supported = true;          // false: FF01 instead of FF00
  };
  /// The requested keys of a matching step, in the character set the query asked for where the text
  /// can be written in it, else in UTF-8.
  Answer answer(const sync::WorklistStep& step) const;

 private:
  explicit WorklistQuery(IdentifierKeys keys) : keys_(std::move(keys)) {}

  IdentifierKeys keys_;
};

/// Every attribute of the step that PS3.4 K.6-1 lists as type 1 or 2, empty where unknown; UTF-8.
std::unique_ptr<DcmDataset> worklist_identifier(const sync::WorklistStep& step);

}  // namespace gateway::adapters::dicom
