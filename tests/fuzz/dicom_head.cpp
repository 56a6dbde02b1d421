// The readers that see a DICOM object's bytes before anything is trusted: what is found must not
// depend on how the bytes are cut, and an object's head is read again as it was written.
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>

#include "adapters/dicom/data_set_scanner.h"
#include "adapters/dicom/instance_head.h"
#include "adapters/dicom/nesting.h"
#include "adapters/dicom/part10_header.h"
#include "adapters/dicom/pdu_guard.h"
#include "sync/part10.h"

namespace gateway::fuzz {
namespace {

using namespace adapters::dicom;
using Bytes = std::span<const std::byte>;

constexpr const char* kSyntaxes[] = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1",
                                     "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"};

[[noreturn]] void fail(std::string_view what) {
  std::cerr << what << "\n";
  std::abort();
}

/// In pieces whose lengths `seed` chooses; 0: in one.
template <class Take>
void feed(Bytes bytes, std::uint32_t seed, Take take) {
  while (!bytes.empty()) {
    std::size_t length = bytes.size();
    if (seed != 0) {
      seed = seed * 1664525U + 1013904223U;
      length = std::min<std::size_t>(1 + (seed >> 27U), bytes.size());
    }
    take(bytes.first(length));
    bytes = bytes.subspan(length);
  }
}

void scan(Bytes bytes, const std::string& syntax, std::uint32_t seed) {
  static constexpr Tag kWanted[] = {0x00080005, 0x00080018, 0x00080060, 0x00100010, 0x0020000d};
  const auto scanned = [&](std::uint32_t cut) {
    DataSetScanner scanner(encoding_of(syntax), kWanted);
    feed(bytes, cut, [&](Bytes piece) { scanner.feed(piece); });
    return scanner;
  };
  const DataSetScanner whole = scanned(0);
  const DataSetScanner split = scanned(seed);
  if (whole.values() != split.values() || whole.done() != split.done() ||
      whole.is_inside() != split.is_inside())
    fail("the scan depends on how its bytes are cut");
}

void read_facts(Bytes bytes, const std::string& syntax, std::uint32_t seed) {
  const auto facts = [&](std::uint32_t cut) {
    InstanceHead head(syntax);
    feed(bytes, cut, [&](Bytes piece) { head.feed(piece); });
    return head.facts();
  };
  const sync::InstanceFacts whole = facts(0);
  const sync::InstanceFacts split = facts(seed);
  // How much comes out before a damage in deflated bytes is zlib's business.
  if (syntax == kSyntaxes[3]) return;
  if (whole.sop_instance_uid != split.sop_instance_uid ||
      whole.study_instance_uid != split.study_instance_uid ||
      whole.patient_name != split.patient_name)
    fail("an object's facts depend on how its bytes are cut");
}

void guard(Bytes bytes, std::uint32_t seed) {
  const auto passes = [&](std::uint32_t cut) {
    PduGuard guard;
    bool good = true;
    feed(bytes, cut, [&](Bytes piece) { good = good && guard.pass(piece); });
    return good;
  };
  if (passes(0) != passes(seed)) fail("what the guard lets pass depends on how it is cut");
}

void read_head(Bytes bytes) {
  const auto head = sync::read_part10_head(bytes);
  if (!head.ok() || !*head) return;
  const sync::Part10Head& read = **head;
  if (read.data_set_offset > bytes.size()) fail("the data set begins behind the end");
  constexpr std::size_t kUidMax = 64;
  constexpr std::size_t kTitleMax = 16;
  if (std::max({read.sop_class_uid.size(), read.sop_instance_uid.size(),
                read.transfer_syntax_uid.size()}) > kUidMax ||
      std::max(read.source_ae_title.size(), read.receiving_ae_title.size()) > kTitleMax)
    return;
  const auto again = sync::read_part10_head(
      part10_header(read.sop_class_uid, read.sop_instance_uid, read.transfer_syntax_uid,
                    {read.source_ae_title, read.receiving_ae_title}));
  if (!again.ok() || !*again || (*again)->sop_instance_uid != read.sop_instance_uid ||
      (*again)->transfer_syntax_uid != read.transfer_syntax_uid ||
      (*again)->receiving_ae_title != read.receiving_ae_title)
    fail("a head that was written is read otherwise");
}

}  // namespace
}  // namespace gateway::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway::fuzz;
  if (size < 1) return 0;
  const std::string syntax = kSyntaxes[data[0] % std::size(kSyntaxes)];
  const Bytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  const std::uint32_t seed = static_cast<std::uint32_t>(size) << 8U | data[0] | 1U;
  scan(bytes, syntax, seed);
  read_facts(bytes, syntax, seed);
  guard(bytes, seed);
  read_head(bytes);
  static_cast<void>(gateway::adapters::dicom::nests_at_most(
      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
      gateway::adapters::dicom::encoding_of(syntax), 16));
  return 0;
}
