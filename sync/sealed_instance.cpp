#include "sync/sealed_instance.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "sync/fetched_mark.h"
#include "sync/part10.h"

namespace gateway::sync {
namespace {

constexpr std::size_t kPiece = 64U << 10;
constexpr std::size_t kHeadMax = 32U << 20;  // of a data set, before what we look for

core::Result<Part10Head> head_of(std::span<const std::byte> start) {
  GW_TRY(auto head, read_part10_head(start));
  if (!head) return core::Error(core::Code::invalid, "the file ends in its meta information");
  return std::move(*head);
}

}  // namespace

core::Result<ReceivedInstance> read_sealed_instance(Holdings& holdings, const std::string& id) {
  GW_TRY(const auto reader, holdings.objects().open_object(id));
  std::vector<std::byte> piece(std::max(kPiece, kPart10HeadMax));
  GW_TRY(const std::size_t begun, reader->read(0, piece));
  GW_TRY(const Part10Head head, head_of(std::span(piece).first(begun)));
  const std::string uplink = fetched_from(std::span(piece).first(begun), id);
  std::uint64_t at = head.data_set_offset;
  const auto next = [&]() -> core::Result<std::span<const std::byte>> {
    if (at - head.data_set_offset >= kHeadMax) return std::span<const std::byte>();
    GW_TRY(const std::size_t got, reader->read(at, piece));
    at += got;
    return std::span<const std::byte>(piece).first(got);
  };
  ReceivedInstance instance;
  GW_TRY(instance.facts, holdings.options().read_facts(head.transfer_syntax_uid, next));
  const InstanceFacts& facts = instance.facts;
  if (facts.sop_instance_uid != head.sop_instance_uid || facts.study_instance_uid.empty() ||
      facts.series_instance_uid.empty()) {
    return core::Error(core::Code::invalid, "its data set does not say which image it is");
  }
  instance.object = {id, reader->size()};
  instance.data_set_offset = head.data_set_offset;
  instance.calling_ae_title = head.source_ae_title;
  instance.called_ae_title = head.receiving_ae_title;
  instance.fetched_from = uplink;
  return instance;
}

}  // namespace gateway::sync
