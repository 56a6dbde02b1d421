// Moves objects from older epochs to a newer one by rewriting the wrapped key in their headers; the
// sealed bytes stay as they are. A batch of new headers is written durably to `rewrap-journal`
// before the first one is written in place, so that a header torn by a power cut is written again
// at the next start. Format: docs/formats.md.
#pragma once

#include <functional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/keyring.h"
#include "crypto/object_folder.h"
#include "crypto/object_format.h"
#include "crypto/objects.h"

namespace gateway::crypto {

class ObjectRewrap {
 public:
  /// `headers` guards headers in place: whoever reads or shreds one holds it shared.
  ObjectRewrap(core::Files& files, ObjectFolder& folder, Keyring& keyring,
               std::shared_mutex& headers)
      : files_(files), folder_(folder), keyring_(keyring), headers_(headers) {}

  /// Finishes the batch a crash interrupted. Before any other use of the objects.
  core::Status recover();
  /// Every object of an epoch before `epoch` goes under `epoch`. No writer of an older epoch is
  /// left. Code::cancelled between two objects once `stopping` says so; Code::io at the end when
  /// the disk refused some, which stay where they are.
  core::Result<RewrapReport> run(std::uint32_t epoch, const std::function<bool()>& stopping);

 private:
  struct Change {
    std::string id;
    ObjectHeaderBytes before{};
    ObjectHeaderBytes after{};
  };

  core::Status look_at(const std::string& id, std::uint32_t epoch, RewrapReport& report);
  core::Result<ObjectHeaderBytes> wrap_again(const ObjectHeader& header,
                                             const ObjectHeaderBytes& before, std::uint32_t epoch);
  core::Status flush(RewrapReport& report);
  core::Status write_journal() const;
  core::Status remove_journal();
  core::Status put_again(const ObjectHeaderBytes& after);
  std::string journal_path() const;

  core::Files& files_;
  ObjectFolder& folder_;
  Keyring& keyring_;
  std::shared_mutex& headers_;
  std::vector<Change> batch_;
  std::uint64_t refused_ = 0;  // objects by the disk
  std::string refusal_;        // the first
};

}  // namespace gateway::crypto
