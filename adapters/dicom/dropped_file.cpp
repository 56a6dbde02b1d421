#include "adapters/dicom/dropped_file.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcuid.h>

#include <array>
#include <optional>
#include <span>

#include "adapters/dicom/data_set_scanner.h"
#include "adapters/dicom/media.h"
#include "sync/part10.h"

namespace gateway::adapters::dicom {
namespace {

using core::Error;

// Behind every element there is: the scan goes to the end.
constexpr std::array<Tag, 1> kBehindAll{0xffffffff};

/// An association ends a data set; a file just stops, where a copy broke off too.
core::Status check_whole(const NextBytes& next) {
  std::string begin;
  std::optional<sync::Part10Head> head;
  while (!head) {
    GW_TRY(const std::string bytes, next());
    if (bytes.empty()) return Error(core::Code::busy, "the DICOM file ends in its header");
    begin += bytes;
    GW_TRY(head, sync::read_part10_head(std::as_bytes(std::span(begin))));
  }
  // Deflated bytes show their end to nobody but who inflates them all.
  if (head->transfer_syntax_uid == UID_DeflatedExplicitVRLittleEndianTransferSyntax) return {};
  DataSetScanner scanner(encoding_of(head->transfer_syntax_uid), kBehindAll);
  scanner.feed(
      std::as_bytes(std::span(begin)).subspan(static_cast<std::size_t>(head->data_set_offset)));
  while (!scanner.done()) {
    GW_TRY(const std::string bytes, next());
    if (bytes.empty()) break;
    scanner.feed(std::as_bytes(std::span(bytes)));
  }
  if (scanner.is_inside())
    return Error(core::Code::busy, "the DICOM file ends in the middle of an element");
  return {};
}

}  // namespace

core::Result<sync::StoreOutcome> take_dropped_file(std::shared_ptr<sync::Holdings> holdings,
                                                   const std::function<NextBytes()>& read) {
  GW_CHECK(check_whole(read()));
  const auto import = MediaImport::begin(std::move(holdings), "");
  const NextBytes next = read();
  while (true) {
    GW_TRY(const std::string bytes, next());
    if (bytes.empty()) return import->finish();
    GW_CHECK(import->append(std::as_bytes(std::span(bytes))));
  }
}

}  // namespace gateway::adapters::dicom
