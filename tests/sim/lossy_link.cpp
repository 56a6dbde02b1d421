#include "tests/sim/lossy_link.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/gzip.h"
#include "core/text.h"

namespace gateway::sim {
namespace {

using core::Code;
using core::Error;
using core::Milliseconds;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr Milliseconds kIdleTimeout{60'000};
constexpr Milliseconds kLatest{600'000};
constexpr char kOutcome[] = R"({"resourceType":"OperationOutcome"})";

bool is_write(const HttpRequest& request) { return request.method != "GET"; }

/// What a gateway asks to learn what the server does (sync/fhir_probe.h). A lie there would be
/// believed for a day.
bool is_probe(const HttpRequest& request) {
  return request.target.starts_with("/Basic") || request.body.find("Basic/") != std::string::npos;
}

/// A lie about what is there is only told of what is sent: of a deletion and of what is read it
/// would have to be believed.
bool may_meet(const HttpRequest& request, Fate fate, bool waits_for_write) {
  switch (fate) {
    case Fate::gone:
      if (request.method == "DELETE") return false;
      [[fallthrough]];
    case Fate::conflict:
    case Fate::stale:
    case Fate::too_large:
      return is_write(request) && !is_probe(request);
    default:
      return !waits_for_write || is_write(request);
  }
}

HttpResponse plain(int status, std::string type, std::string body) {
  HttpResponse answer;
  answer.status = status;
  answer.headers = {{"Content-Type", std::move(type)}};
  answer.body = std::move(body);
  return answer;
}

/// A mutation's: in the head as within a Bundle.
void forget_if_match(HttpRequest& request) {
  std::erase_if(request.headers, [](const auto& header) { return header.first == "If-Match"; });
  if (auto text = core::gunzip(request.body, 64u << 20); text.ok()) {
    request.body = std::move(*text);
    std::erase_if(request.headers,
                  [](const auto& header) { return header.first == "Content-Encoding"; });
  }
  constexpr std::string_view kMember = R"("ifMatch":)";
  for (auto at = request.body.find(kMember); at != std::string::npos;
       at = request.body.find(kMember, at)) {
    request.body.replace(at, kMember.size(), R"("forgotten":)");
  }
}

}  // namespace

std::string_view name_of(Fate fate) {
  constexpr std::string_view kNames[kFates] = {
      "cut",          "answer-lost", "doubled", "late",     "slow", "busy",  "bad-gateway", "html",
      "error-before", "error-after", "poison",  "conflict", "gone", "stale", "too-large"};
  return kNames[static_cast<int>(fate)];
}

core::net::Awaitable<core::Result<HttpResponse>> LossyLink::send(HttpRequest request) {
  namespace asio = boost::asio;
  auto initiate = [this](auto handler, HttpRequest sent) {
    auto executor = asio::get_associated_executor(handler);
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    start(std::move(sent), [resume, executor](Answer answer) {
      asio::post(executor, [resume, answer = std::move(answer)]() mutable {
        std::move (*resume)(std::move(answer));
      });
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(Answer)>(
      initiate, asio::use_awaitable, std::move(request));
}

void LossyLink::finish(const Done& done, Milliseconds delay, Answer answer) {
  time_.after(delay, [life = life_, done, answer = std::move(answer)] {
    if (life->step()) done(answer);
  });
}

LossyLink::Answer LossyLink::serve(const HttpRequest& request, std::string_view how) {
  HttpResponse answer = his_.answer(request, gateway_);
  note_(core::cat(gateway_, " ", request.method, " ", request.target, " ", answer.status, how,
                  his_.take_note()));
  return answer;
}

void LossyLink::start(HttpRequest sent, Done done) {
  if (!life_->step()) return;
  if (is_on(Mutation::no_if_match)) forget_if_match(sent);
  auto request = std::make_shared<HttpRequest>(std::move(sent));
  if (closed_) {
    finish(done, Milliseconds(0), Error(Code::cancelled, "closed"));
    return;
  }
  if (weather_.is_down) {
    finish(done, Milliseconds(chance_.between(1, 3'000)), Error(Code::unavailable, "not reached"));
    return;
  }
  for (auto next = weather_.to_come.begin(); next != weather_.to_come.end(); ++next) {
    const Fate fate = next->first;
    if (!may_meet(*request, fate, next->second)) continue;
    weather_.to_come.erase(next);
    ++weather_.befallen;
    note_(
        core::cat(gateway_, " ", request->method, " ", request->target, " meets ", name_of(fate)));
    suffer(fate, request, done);
    return;
  }
  time_.after(Milliseconds(chance_.between(1, 400)),
              [this, self = shared_from_this(), request, done] {
                // What is on its way arrives whether or not its sender still lives.
                Answer answer = serve(*request, "");
                finish(done, Milliseconds(chance_.between(1, 400)), std::move(answer));
              });
}

void LossyLink::cut(const std::shared_ptr<HttpRequest>& request, const Done& done) {
  constexpr std::size_t kHead = 300;
  const std::size_t out = kHead + request->body.size();
  const std::size_t at = chance_.below(out + 2 * kHead);
  if (at == 0) {
    finish(done, Milliseconds(20), Error(Code::unavailable, "not reached"));
  } else {
    if (at >= out) (void)serve(*request, " cut");
    finish(done, Milliseconds(chance_.between(1, 2'000)), Error(Code::lost_answer, "cut"));
  }
}

void LossyLink::arrive_late(const std::shared_ptr<HttpRequest>& request) {
  // Where the server cannot guard a creation, the network at least doesn't outlive the client.
  const bool unguarded = is_write(*request) && !late_writes_;
  const auto delay = unguarded
                         ? Milliseconds(0)
                         : Milliseconds(chance_.between(kIdleTimeout.count(), kLatest.count()));
  time_.after(delay,
              [this, self = shared_from_this(), request] { (void)serve(*request, " late"); });
}

void LossyLink::suffer(Fate fate, const std::shared_ptr<HttpRequest>& request, const Done& done) {
  switch (fate) {
    case Fate::cut:
      return cut(request, done);
    case Fate::answer_lost:
      (void)serve(*request, " unheard");
      return finish(done, Milliseconds(chance_.between(5, 60'000)),
                    Error(Code::lost_answer, "lost"));
    case Fate::doubled: {
      Answer answer = serve(*request, "");
      if (late_writes_) {
        time_.after(
            Milliseconds(chance_.between(0, 30'000)),
            [this, self = shared_from_this(), request] { (void)serve(*request, " again"); });
      }
      return finish(done, Milliseconds(100), std::move(answer));
    }
    case Fate::late:
      arrive_late(request);
      return finish(done, kIdleTimeout, Error(Code::lost_answer, "nothing moved for 60 s"));
    case Fate::slow:
      time_.after(Milliseconds(chance_.between(1'000, 50'000)),
                  [this, self = shared_from_this(), request, done] {
                    // As arrive_late(): it does not outlive a client that crashed.
                    if (is_write(*request) && !late_writes_ && !life_->alive) return;
                    Answer answer = serve(*request, " slowly");
                    finish(done, Milliseconds(chance_.between(1, 5'000)), std::move(answer));
                  });
      return;
    case Fate::busy: {
      HttpResponse answer = plain(chance_.percent(50) ? 429 : 503, "text/plain", "later");
      answer.headers.emplace_back("Retry-After", "20");
      return finish(done, Milliseconds(30), std::move(answer));
    }
    case Fate::bad_gateway:
      if (chance_.percent(50)) (void)serve(*request, " behind a bad gateway");
      return finish(done, Milliseconds(30), plain(502, "text/html", "<html>bad gateway</html>"));
    case Fate::html:
      return finish(done, Milliseconds(30), plain(200, "text/html", "<html>log in</html>"));
    case Fate::error_before:
      return finish(done, Milliseconds(30), plain(500, "application/fhir+json", "{}"));
    case Fate::error_after:
      (void)serve(*request, " and failed");
      return finish(done, Milliseconds(30), plain(500, "application/fhir+json", "{}"));
    case Fate::poison:
      return finish(done, Milliseconds(30), plain(422, "application/fhir+json", kOutcome));
    case Fate::conflict:
      return finish(done, Milliseconds(30), plain(409, "application/fhir+json", kOutcome));
    case Fate::gone:
      return finish(done, Milliseconds(30), plain(410, "application/fhir+json", kOutcome));
    case Fate::stale:
      return finish(done, Milliseconds(30), plain(412, "application/fhir+json", kOutcome));
    case Fate::too_large:
      return finish(done, Milliseconds(30), plain(413, "text/html", "<html>too large</html>"));
  }
}

}  // namespace gateway::sim
