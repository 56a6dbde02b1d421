#include "sync/stow_uplink.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "core/ids.h"
#include "core/json.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/async_write.h"
#include "sync/multipart.h"
#include "sync/peer_answer.h"
#include "sync/sent_form.h"
#include "sync/stow.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using core::net::HttpRequest;

struct Outgoing {
  OutboxRow row;
  std::string sop_instance_uid;
  std::string study_uid;
  std::string object_id;
  std::shared_ptr<const SentForm> anew = {};  // what goes in place of the stored bytes
  bool is_compressed() const { return anew && anew->is_compressed; }
};

/// A file in memory, read like a sealed one.
class FileReader final : public crypto::SealedReader {
 public:
  explicit FileReader(std::shared_ptr<const SentForm> form) : form_(std::move(form)) {}
  std::uint64_t size() const override { return form_->file.size(); }
  core::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> bytes) override {
    const std::string& file = form_->file;
    if (offset >= file.size()) return std::size_t(0);
    const std::size_t count =
        std::min(bytes.size(), file.size() - static_cast<std::size_t>(offset));
    std::memcpy(bytes.data(), file.data() + offset, count);
    return count;
  }

 private:
  const std::shared_ptr<const SentForm> form_;
};

core::Result<std::optional<Outgoing>> load(crypto::Connection& connection, const OutboxRow& row) {
  GW_TRY(auto rows,
         connection.query("SELECT sop_instance_uid, study_uid, object_id FROM dicom_instance"
                          " WHERE row = CAST(? AS INTEGER) AND rejection <> 1",
                          row.subject));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Outgoing>();
  return std::optional<Outgoing>(Outgoing{row, std::string(rows.text(0)), std::string(rows.text(1)),
                                          std::string(rows.text(2))});
}

class StowUplink final : public Uplink {
 public:
  StowUplink(std::string name, std::shared_ptr<core::net::HttpClient> client,
             std::shared_ptr<Holdings> holdings, StowOptions options)
      : name_(std::move(name)),
        client_(std::move(client)),
        holdings_(std::move(holdings)),
        resumable_(std::move(options.resumable)),
        compresses_(options.compresses) {}

  const std::string& name() const override { return name_; }
  std::string_view kind() const override { return "stow"; }
  UplinkLimits limits() const override { return stow_uplink_limits(); }
  Awaitable<PullReport> pull() override {
    PullReport report;
    report.reached = true;
    co_return report;
  }
  void close() override {
    client_->close();
    if (resumable_) resumable_->close();
  }

  Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    std::vector<RowOutcome> outcomes;
    std::vector<Outgoing> to_send;
    for (const OutboxRow& row : rows) {
      auto loaded = holdings_->database().read_value<std::optional<Outgoing>>(
          [&](crypto::Connection& connection) { return load(connection, row); });
      if (!loaded.ok()) {
        outcomes.push_back(ended(row, Delivery::failed, loaded.error().message()));
      } else if (!*loaded) {
        outcomes.push_back(
            ended(row, Delivery::refused, "the instance is no longer held, or was withdrawn"));
      } else if (auto settled = co_await settle_before(**loaded)) {
        outcomes.push_back(std::move(*settled));
      } else {
        to_send.push_back(std::move(**loaded));
      }
    }
    const auto large =
        std::stable_partition(to_send.begin(), to_send.end(),
                              [&](const Outgoing& outgoing) { return !goes_by_parts(outgoing); });
    const std::vector<Outgoing> by_parts(std::make_move_iterator(large),
                                         std::make_move_iterator(to_send.end()));
    to_send.erase(large, to_send.end());
    // What failed where others got through may be what makes a whole group fail.
    const auto alone =
        std::stable_partition(to_send.begin(), to_send.end(),
                              [](const Outgoing& outgoing) { return outgoing.row.attempts == 0; });
    for (auto one = alone; one != to_send.end(); ++one) {
      std::vector<Outgoing> group;
      group.push_back(std::move(*one));
      co_await send(std::move(group), outcomes);
    }
    to_send.erase(alone, to_send.end());
    if (!to_send.empty()) co_await send(std::move(to_send), outcomes);
    for (const Outgoing& outgoing : by_parts) {
      RowOutcome outcome = co_await resumable_->send(outgoing.row, outgoing.object_id);
      outcomes.push_back(std::move(outcome));
    }
    co_return outcomes;
  }

 private:
  /// What is written anew is so as a whole, and never the same bytes twice.
  bool goes_by_parts(const Outgoing& outgoing) const {
    return resumable_ && !outgoing.anew && resumable_->takes(outgoing.row);
  }

  /// Why it cannot go; nothing: it can.
  std::optional<RowOutcome> write_anew(Outgoing& outgoing, bool compresses) const {
    outgoing.anew.reset();
    const WriteAnew& write = holdings_->options().write_anew;
    if (!write) return std::nullopt;
    auto anew = write(*holdings_, std::stoll(outgoing.row.subject), compresses);
    if (!anew.ok()) {
      const bool is_final = anew.error().code() == core::Code::invalid;
      return ended(outgoing.row, is_final ? Delivery::refused : Delivery::failed,
                   anew.error().message());
    }
    if (*anew) outgoing.anew = std::make_shared<const SentForm>(std::move(**anew));
    return std::nullopt;
  }

  /// What ends it before anything is sent; nothing: it goes, with what it goes as.
  Awaitable<std::optional<RowOutcome>> settle_before(Outgoing& outgoing) {
    const OutboxRow& row = outgoing.row;
    const bool is_large = resumable_ && resumable_->takes(row);
    if (auto why = write_anew(outgoing, compresses_ && !is_large)) co_return why;
    const bool goes_on = goes_by_parts(outgoing) && resumable_->has_begun(row);
    if (row.perhaps_sent && !goes_on) co_return co_await look_for(outgoing);
    co_return std::nullopt;
  }

  /// By this what was written anew is known when it is read back: kept before it goes.
  Awaitable<core::Status> keep_forms(const std::vector<Outgoing>& group) {
    auto forms = std::make_shared<std::vector<std::pair<std::int64_t, std::string>>>();
    for (const Outgoing& outgoing : group) {
      if (!outgoing.anew) continue;
      GW_CO_TRY(std::string digest, digest_of_file(outgoing.anew->file));
      forms->emplace_back(std::stoll(outgoing.row.subject), std::move(digest));
    }
    if (forms->empty()) co_return core::Status();
    crypto::Change change = [forms, uplink = name_](crypto::Connection& connection) {
      core::Status kept;
      for (const auto& [instance, digest] : *forms) {
        kept = keep_sent_form(connection, instance, uplink, digest);
        if (!kept.ok()) break;
      }
      return kept;
    };
    co_return co_await write_async(holdings_->database(), std::move(change));
  }

  /// Is it at the PACS already? Nothing: no, send it.
  Awaitable<std::optional<RowOutcome>> look_for(const Outgoing& outgoing) {
    HttpRequest request;
    request.target = core::cat("/studies/", outgoing.study_uid,
                               "/instances?SOPInstanceUID=", outgoing.sop_instance_uid);
    request.headers = {{"Accept", "application/dicom+json"}};
    auto answer = co_await client_->send(std::move(request));
    if (!answer.ok()) co_return outcome_of_error(outgoing.row.number, answer.error());
    if (const std::string why = not_serving(*answer, "json"); !why.empty()) {
      co_return ended(outgoing.row, Delivery::unreached, why);
    }
    if (answer->status == 204 || answer->status == 404) co_return std::nullopt;
    if (answer->status != 200) {
      co_return ended(outgoing.row, Delivery::failed,
                      core::cat("looking for the instance, the PACS answered ", answer->status));
    }
    auto found = Json::parse(answer->body);
    if (!found.ok()) co_return ended(outgoing.row, Delivery::failed, found.error().message());
    for (const Json& instance : found->items()) {
      if (instance["00080018"]["Value"][0].text() == outgoing.sop_instance_uid) {
        co_return ended(outgoing.row, Delivery::delivered, "", true);
      }
    }
    co_return std::nullopt;
  }

  Awaitable<void> send(std::vector<Outgoing> group, std::vector<RowOutcome>& outcomes) {
    std::vector<std::unique_ptr<crypto::SealedReader>> parts;
    std::vector<Outgoing> readable;
    if (auto kept = co_await keep_forms(group); !kept.ok()) {
      for (const Outgoing& outgoing : group)
        outcomes.push_back(ended(outgoing.row, Delivery::failed, kept.error().message()));
      co_return;
    }
    for (Outgoing& outgoing : group) {
      if (outgoing.anew) {
        parts.push_back(std::make_unique<FileReader>(outgoing.anew));
        readable.push_back(std::move(outgoing));
        continue;
      }
      auto reader = holdings_->objects().open_object(outgoing.object_id);
      if (reader.ok()) {
        parts.push_back(std::move(*reader));
        readable.push_back(std::move(outgoing));
      } else {
        outcomes.push_back(ended(outgoing.row, Delivery::refused, reader.error().message()));
      }
    }
    if (readable.empty()) co_return;

    const std::string boundary = core::cat("gateway-", core::to_hex(core::random_bytes(16)));
    HttpRequest request;
    request.method = "POST";
    request.target = "/studies";
    request.headers = {
        {"Content-Type",
         core::cat("multipart/related; type=\"application/dicom\"; boundary=", boundary)},
        {"Accept", "application/dicom+json"}};
    request.source =
        std::make_unique<MultipartSource>(std::move(parts), "application/dicom", boundary);
    auto answer = co_await client_->send(std::move(request));
    if (!answer.ok()) {
      for (const Outgoing& outgoing : readable)
        outcomes.push_back(outcome_of_error(outgoing.row.number, answer.error()));
    } else {
      co_await conclude_group(std::move(readable), *answer, outcomes);
    }
  }

  /// One instance the PACS will not take must not hold back those that went with it: where a
  /// refusal does not name all it means, they go again in smaller groups, down to one.
  Awaitable<void> conclude_group(std::vector<Outgoing> group, const core::net::HttpResponse& answer,
                                 std::vector<RowOutcome>& outcomes) {
    const auto verdicts = verdicts_in(answer);
    std::vector<Outgoing> again;
    const bool splits =
        group.size() > 1 && refuses(answer.status) && not_serving(answer, "json").empty();
    for (Outgoing& outgoing : group) {
      if (splits && !verdicts.contains(outgoing.sop_instance_uid)) {
        again.push_back(std::move(outgoing));
        continue;
      }
      RowOutcome outcome = co_await conclude(outgoing, answer, verdicts);
      if (outcome.result == Delivery::refused && outgoing.is_compressed()) {
        co_await send_uncompressed(std::move(outgoing), outcomes);
      } else {
        outcomes.push_back(std::move(outcome));
      }
    }
    if (again.empty()) co_return;
    const auto middle = again.begin() + static_cast<std::ptrdiff_t>(again.size() / 2);
    std::vector<Outgoing> second(std::make_move_iterator(middle),
                                 std::make_move_iterator(again.end()));
    again.erase(middle, again.end());
    if (!again.empty()) co_await send(std::move(again), outcomes);
    co_await send(std::move(second), outcomes);
  }

  /// The PACS may mind the transfer syntax, and not the image.
  Awaitable<void> send_uncompressed(Outgoing outgoing, std::vector<RowOutcome>& outcomes) {
    if (auto why = write_anew(outgoing, false)) {
      outcomes.push_back(std::move(*why));
      co_return;
    }
    std::vector<Outgoing> alone;
    alone.push_back(std::move(outgoing));
    co_await send(std::move(alone), outcomes);
    if (!compresses_ || outcomes.back().result != Delivery::delivered) co_return;
    compresses_ = false;
    core::log_warn(
        "sync", core::cat("uplink ", name_, ": the PACS takes no JPEG-LS; images go as they are"));
  }

  static bool refuses(int status) {
    return status == 400 || status == 413 || status == 415 || status == 422;
  }

  static std::map<std::string, StowInstance> verdicts_in(const core::net::HttpResponse& answer) {
    const auto body = Json::parse(answer.body);
    return body.ok() ? read_stow_answer(*body) : std::map<std::string, StowInstance>();
  }

  /// What the store's answer means for one of its instances.
  Awaitable<RowOutcome> conclude(const Outgoing& outgoing, const core::net::HttpResponse& answer,
                                 const std::map<std::string, StowInstance>& verdicts) {
    if (const std::string why = not_serving(answer, "json"); !why.empty()) {
      RowOutcome outcome = ended(outgoing.row, Delivery::unreached, why);
      outcome.retry_after = retry_after(answer);
      co_return outcome;
    }
    const auto named = verdicts.find(outgoing.sop_instance_uid);
    if (named == verdicts.end()) co_return co_await conclude_unnamed(outgoing, answer.status);
    const std::string code = core::cat(
        "failure reason ", core::to_hex(std::string{static_cast<char>(named->second.reason >> 8),
                                                    static_cast<char>(named->second.reason)}));
    switch (named->second.verdict) {
      case StowVerdict::stored:
        co_return ended(outgoing.row, Delivery::delivered, "");
      case StowVerdict::already_there: {
        auto found = co_await look_for(outgoing);
        co_return found.value_or(ended(outgoing.row, Delivery::failed,
                                       "the PACS says it has the instance but does not show it"));
      }
      case StowVerdict::try_later:
        co_return ended(outgoing.row, Delivery::failed,
                        core::cat("the PACS could not store the instance now, ", code));
      case StowVerdict::refused:
        break;
    }
    co_return ended(outgoing.row, Delivery::refused,
                    core::cat("the PACS refused the instance, ", code));
  }

  /// The answer does not speak of the instance: its status must do, and success without a word is
  /// no success.
  Awaitable<RowOutcome> conclude_unnamed(const Outgoing& outgoing, int status) {
    if (refuses(status)) {
      co_return ended(outgoing.row, Delivery::refused,
                      core::cat("the PACS answered ", status, " and will not take the instance"));
    }
    if (status == 404 || status == 405 || status == 408 || status / 100 == 3) {
      co_return ended(
          outgoing.row, Delivery::unreached,
          core::cat("the server answered ", status, " to a store: check url of this uplink"));
    }
    if (auto found = co_await look_for(outgoing)) co_return *found;
    co_return ended(outgoing.row, Delivery::failed,
                    core::cat("the PACS answered ", status, " without naming the instance"));
  }

  std::string name_;
  std::shared_ptr<core::net::HttpClient> client_;
  std::shared_ptr<Holdings> holdings_;
  std::unique_ptr<ResumableSender> resumable_;
  bool compresses_;
};

}  // namespace

UplinkLimits stow_uplink_limits() {
  UplinkLimits limits;
  limits.rows_per_delivery = 16;
  limits.bytes_per_delivery = 8u << 20;
  limits.deliveries_in_flight = 2;
  return limits;
}

std::unique_ptr<Uplink> make_stow_uplink(std::string name,
                                         std::shared_ptr<core::net::HttpClient> client,
                                         std::shared_ptr<Holdings> holdings, StowOptions options) {
  return std::make_unique<StowUplink>(std::move(name), std::move(client), std::move(holdings),
                                      std::move(options));
}

}  // namespace gateway::sync
