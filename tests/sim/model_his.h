// A hospital's FHIR R4 server as far as a gateway meets it (R4 3.1): versions, If-Match, PUT as
// create, searches sorted by _lastUpdated with paging, type history, deletes. Its manners differ
// from schedule to schedule within what real servers do. In memory; sees whole requests only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "sync/replica.h"
#include "tests/sim/chance.h"

namespace gateway::sim {

struct HisManners {
  bool knows_if_none_match = true;  // PUT with If-None-Match: * creates or fails
  bool conflict_is_409 = false;     // of an If-Match that fails; else 412
  bool tells_version = true;        // by ETag after a write
  bool whole_seconds = false;       // of meta.lastUpdated: many ties
  bool pages_by_offset = false;     // into what is there by then; else a snapshot
  std::size_t page_max = 100;
  bool takes_batch = true;
  bool takes_transaction = true;
  std::size_t entries_max = 500;  // of a Bundle; more is 413
  bool unpacks = true;            // Content-Encoding: gzip; else 415
  bool keeps_client_ids = true;   // PUT as create; else 404 or 405, and ids of its own by POST
};

struct HisVersion {
  std::int64_t number = 0;
  std::string by;  // "his" or a gateway
  core::Wall updated;
  core::Json body;  // with meta; null: deleted
  std::string text;
};

class ModelHis {
 public:
  ModelHis(HisManners manners, std::function<core::Wall()> clock)
      : manners_(manners), clock_(std::move(clock)) {}

  core::net::HttpResponse answer(const core::net::HttpRequest& request, const std::string& by);

  /// The newest version, or null. Borrowed until the next change.
  const HisVersion* newest(const std::string& key) const;
  const std::map<std::string, std::vector<HisVersion>>& all() const { return resources_; }
  /// What a person at the hospital enters. `age`: how long the transaction took to be seen.
  void edit(const std::string& key, core::Json body, core::Milliseconds age);

  /// What it calls a resource a gateway made as `key`; `key` itself where it knows no better.
  std::string named(const std::string& key) const;
  /// Resources it holds more than once, one line each.
  std::vector<std::string> doubled() const;

  std::int64_t changes() const { return changes_; }
  /// Of writes by gateways: what they broke, one line each.
  const std::vector<std::string>& dangling() const { return dangling_; }
  /// What the Bundles since the last call held, for the trace.
  std::string take_note() { return std::exchange(note_, {}); }

 private:
  using Response = core::net::HttpResponse;
  struct Page {
    std::vector<std::pair<std::string, std::int64_t>> entries;  // key and version
    std::string type;
    std::string since;
  };

  Response metadata() const;
  Response bundle(const core::net::HttpRequest& request, const std::string& by);
  Response entry(const core::Json& asked, const std::string& by, bool only_checks);
  std::optional<Response> conflict(const core::net::HttpRequest& request, const std::string& key);
  Response read(const std::string& key) const;
  Response update(const core::net::HttpRequest& request, const std::string& key,
                  const std::string& by);
  /// A conditional create.
  Response create(const core::net::HttpRequest& request, const std::string& type,
                  const std::string& by);
  /// What `query` (our mark) finds, deleted ones left out.
  std::vector<std::string> marked(const std::string& type, std::string_view query) const;
  /// Where such a create puts it, or has it already.
  std::string place_of(const std::string& type, std::string_view query) const;
  /// The Bundle with names in the place of its placeholders, and what it is about to make.
  core::Json settled(std::string text, const core::Json& asked);
  Response search_marked(const std::string& type, std::string_view query) const;
  void check_targets(const std::string& key, const core::Json& body);
  void tell_place(Response& answer, const std::string& key) const;
  Response search(std::string_view target);
  Response history(std::string_view target);
  Page find(const std::string& type, const std::string& since) const;
  Response page_answer(const Page& page, std::size_t from, const std::string& token);
  void store(const std::string& key, core::Json body, const std::string& by, core::Wall updated);
  Response said(int status, std::string body = "") const;
  Response outcome(int status, std::string_view why) const;

  HisManners manners_;
  std::function<core::Wall()> clock_;
  std::map<std::string, std::vector<HisVersion>> resources_;
  std::map<std::string, Page> snapshots_;
  std::set<std::string> arriving_;  // with the transaction that is being carried out
  std::int64_t changes_ = 0;
  std::vector<std::string> dangling_;
  std::string note_;
};

}  // namespace gateway::sim
