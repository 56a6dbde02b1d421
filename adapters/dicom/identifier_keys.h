// The identifier of a C-FIND as its provider reads it (PS3.4 C.2.2.2, K.2.2.2): what matches it,
// and what an answer to it holds. Works on DCMTK's data sets in UTF-8; internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <memory>
#include <string>

#include "core/result.h"

namespace gateway::adapters::dicom {

class IdentifierKeys {
 public:
  /// Of the identifier as received; `character_set` is for one that names none. Code::invalid when
  /// it cannot be read.
  static core::Result<IdentifierKeys> parse(const std::string& bytes, E_TransferSyntax syntax,
                                            const std::string& character_set);

  /// Of keys that are in UTF-8 already.
  static IdentifierKeys of(std::unique_ptr<DcmDataset> keys);

  /// The keys, in UTF-8.
  DcmDataset& keys() const { return *keys_; }

  /// True when every key that `values` has an attribute for matches it. An optional key that it has
  /// none for is no reason to hide a match (PS3.4 C.2.2.1.3).
  bool match(DcmItem& values) const;

  /// Leaves of `values` only what was asked for, in the character set the query asked for where the
  /// text can be written in it, else in UTF-8. False: something asked for is not known here (FF01
  /// instead of FF00).
  bool make_answer(DcmDataset& values) const;

 private:
  IdentifierKeys() = default;

  std::unique_ptr<DcmDataset> keys_;
  std::string character_set_;  // as in the query
};

/// One value without wildcards, as an index can look it up; else empty.
std::string plain_value(DcmItem& keys, const DcmTagKey& tag);

}  // namespace gateway::adapters::dicom
