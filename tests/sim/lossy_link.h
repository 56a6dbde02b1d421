// The way from one gateway to the hospital: the gateway's HTTP client (core/net/http.h and its
// promises), with everything between them that goes wrong.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "core/net/http.h"
#include "tests/sim/chance.h"
#include "tests/sim/memory_records.h"
#include "tests/sim/model_his.h"
#include "tests/sim/virtual_time.h"

namespace gateway::sim {

/// What befalls one request.
enum class Fate {
  cut,           // the connection breaks at byte N, of the request or of the answer
  answer_lost,   // after the server's commit
  doubled,       // it arrives twice
  late,          // it arrives after the client gave up
  slow,          // it takes long, and the answer comes
  busy,          // 429 with Retry-After, or 503
  bad_gateway,   // 502
  html,          // a portal's page with status 200
  error_before,  // 500, nothing done
  error_after,   // 500 after the commit
  poison,        // 422: the server will not have it
  // The same, in words that mean something: what they say is not so, and nothing is done.
  conflict,   // 409
  gone,       // 410
  stale,      // 412
  too_large,  // 413, with a proxy's page
};
inline constexpr int kFates = 15;
std::string_view name_of(Fate fate);

/// One gateway's weather; outlives its processes.
struct Weather {
  bool is_down = false;
  std::deque<std::pair<Fate, bool>> to_come;  // second: waits for a request that writes
  std::int64_t befallen = 0;
};

class LossyLink final : public core::net::HttpClient,
                        public std::enable_shared_from_this<LossyLink> {
 public:
  using Note = std::function<void(const std::string&)>;
  LossyLink(std::string gateway, ModelHis& his, Weather& weather, VirtualTime& time, Chance& chance,
            std::shared_ptr<Life> life, bool late_writes, Note note)
      : gateway_(std::move(gateway)),
        his_(his),
        weather_(weather),
        time_(time),
        chance_(chance),
        life_(std::move(life)),
        late_writes_(late_writes),
        note_(std::move(note)) {}

  core::net::Awaitable<core::Result<core::net::HttpResponse>> send(
      core::net::HttpRequest request) override;
  void close() override { closed_ = true; }

 private:
  using Answer = core::Result<core::net::HttpResponse>;
  using Done = std::function<void(Answer)>;
  void start(core::net::HttpRequest request, Done done);
  void suffer(Fate fate, const std::shared_ptr<core::net::HttpRequest>& request, const Done& done);
  void cut(const std::shared_ptr<core::net::HttpRequest>& request, const Done& done);
  void arrive_late(const std::shared_ptr<core::net::HttpRequest>& request);
  Answer serve(const core::net::HttpRequest& request, std::string_view how);
  void finish(const Done& done, core::Milliseconds delay, Answer answer);

  std::string gateway_;
  ModelHis& his_;
  Weather& weather_;
  VirtualTime& time_;
  Chance& chance_;
  std::shared_ptr<Life> life_;
  bool late_writes_;  // may arrive after the client gave up
  Note note_;
  bool closed_ = false;
};

}  // namespace gateway::sim
