// Result<T>: the one way a fallible call answers in this code base. No exception crosses a room; a
// call that can fail returns Result and the caller must look at it. An Error carries a code (only
// where some caller acts on it), a sentence for a person (what happened, to which thing, what to do
// next) and gathers context on its way up.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace gateway::core {

enum class Code {
  invalid,      // the input is wrong; sending it again unchanged is pointless
  not_found,    // the named thing does not exist
  exists,       // the named thing exists already
  locked,       // no key slot has been opened: nothing can be stored or read
  no_space,     // the disk is at its reserve; the sender keeps its copy and tries later
  busy,         // a bounded queue is full; try later
  corrupt,      // stored bytes fail their authentication or digest
  io,           // the operating system refused a read or write
  unavailable,  // the peer was not reached: it certainly did not process the request
  lost_answer,  // the request may have been processed: read back before sending again
  untrusted,    // the peer's certificate or identity was not accepted
  refused,      // the peer understood and said no
  cancelled,    // the operation was stopped by shutdown
  internal,     // a defect of ours
};

/// The code's stable name, as it appears in JSON and logs.
std::string_view to_string(Code code);

class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  /// The whole sentence: outermost context first.
  const std::string& message() const { return message_; }
  /// Puts `context` in front: "context: message".
  Error with_context(std::string_view context) && {
    message_.insert(0, std::string(context) + ": ");
    return std::move(*this);
  }

 private:
  Code code_;
  std::string message_;
};

/// Either a T or an Error. Reading value() of a failed Result is a programming error and asserts.
template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }
  Result with_context(std::string_view context) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().with_context(context);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }
  Result with_context(std::string_view context) && {
    if (ok()) return {};
    return std::move(*error_).with_context(context);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace gateway::core

// Declaration-form propagation: GW_TRY(auto row, read_row(id)); returns the Error from the
// enclosing function. The GW_CO_ forms do the same in a coroutine. (A statement expression around
// co_return crashes g++ 12.2.)
#define GW_CONCAT_INNER(a, b) a##b
#define GW_CONCAT(a, b) GW_CONCAT_INNER(a, b)
#define GW_TRY_WITH(ret, tmp, decl, expr)    \
  auto tmp = (expr);                         \
  if (!tmp.ok()) ret std::move(tmp).error(); \
  decl = std::move(tmp).value()
#define GW_TRY(decl, expr) GW_TRY_WITH(return, GW_CONCAT(gw_result_, __LINE__), decl, expr)
#define GW_CO_TRY(decl, expr) GW_TRY_WITH(co_return, GW_CONCAT(gw_result_, __LINE__), decl, expr)
#define GW_CHECK(expr)                                                                 \
  do {                                                                                 \
    if (auto gw_status = (expr); !gw_status.ok()) return std::move(gw_status).error(); \
  } while (false)
#define GW_CO_CHECK(expr)                                                                 \
  do {                                                                                    \
    if (auto gw_status = (expr); !gw_status.ok()) co_return std::move(gw_status).error(); \
  } while (false)
