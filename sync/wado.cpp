#include "sync/wado.h"

#include <optional>
#include <utility>

#include "core/text.h"
#include "crypto/digest.h"
#include "sync/data_set_digest.h"
#include "sync/multipart_reader.h"
#include "sync/peer_answer.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;

/// The answer's body on its way: out of its multipart wrapping, its head read, its data set summed.
class InstanceSink final : public core::net::BodySink {
 public:
  explicit InstanceSink(TakeBytes take)
      : take_(std::move(take)),
        parts_([this](std::span<const std::byte> bytes) { return take_part(bytes); }) {}

  core::Status write(std::span<const std::byte> bytes) override { return parts_.feed(bytes); }

  core::Result<FetchedInstance> fetched() {
    if (!parts_.whole() || !head_)
      return core::Error(core::Code::invalid, "the answer holds no whole DICOM file");
    return FetchedInstance{*head_, bytes_, digest_text(sum_.finish())};
  }

 private:
  core::Status take_part(std::span<const std::byte> bytes) {
    GW_CHECK(take_(bytes));
    if (head_) return add(bytes);
    start_.insert(start_.end(), bytes.begin(), bytes.end());
    GW_TRY(head_, read_part10_head(start_));
    if (!head_) {
      if (start_.size() <= kPart10HeadMax) return {};
      return core::Error(core::Code::invalid, "the answer is no DICOM file");
    }
    GW_CHECK(add(std::span<const std::byte>(start_).subspan(
        static_cast<std::size_t>(head_->data_set_offset))));
    start_ = {};
    return {};
  }
  core::Status add(std::span<const std::byte> bytes) {
    sum_.update(bytes);
    bytes_ += bytes.size();
    return {};
  }

  TakeBytes take_;
  MultipartReader parts_;
  std::vector<std::byte> start_;
  std::optional<Part10Head> head_;
  crypto::Sha256 sum_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Awaitable<core::Result<FetchedInstance>> fetch_instance(
    std::shared_ptr<core::net::HttpClient> client, InstanceName name, TakeBytes take) {
  InstanceSink sink(std::move(take));
  core::net::HttpRequest request;
  request.target = core::cat("/studies/", name.study_uid, "/series/", name.series_uid,
                             "/instances/", name.sop_instance_uid);
  request.headers = {
      {"Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*"}};
  request.sink = &sink;
  auto answer = co_await client->send(std::move(request));
  if (!answer.ok()) co_return std::move(answer).error();
  if (answer->status == 404 || answer->status == 410)
    co_return core::Error(core::Code::not_found, "the PACS does not have the instance");
  if (const std::string why = not_serving(*answer, "multipart"); !why.empty())
    co_return core::Error(core::Code::unavailable, why);
  if (answer->status != 200) co_return unhoped_answer("reading the instance back", answer->status);
  GW_CO_TRY(FetchedInstance fetched, sink.fetched());
  if (fetched.head.sop_instance_uid != name.sop_instance_uid)
    co_return core::Error(core::Code::invalid, "the PACS answered with another instance");
  co_return fetched;
}

}  // namespace gateway::sync
