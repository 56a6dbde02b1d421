// A database change awaited on an io_context: the coroutine resumes on its own executor once the
// group commit is durable.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "core/net/http.h"
#include "crypto/database.h"

namespace gateway::sync {

/// Name the change before awaiting it: g++ 12 destroys what a lambda written inside a co_await
/// expression captured twice.
inline core::net::Awaitable<core::Status> write_async(crypto::Database& database,
                                                      crypto::Change change) {
  namespace asio = boost::asio;
  auto initiate = [&database](auto handler, crypto::Change queued) {
    auto executor = asio::prefer(asio::get_associated_executor(handler),
                                 asio::execution::outstanding_work.tracked);
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    database.write_async(std::move(queued), [resume, executor](core::Status status) {
      asio::post(executor, [resume, status = std::move(status)]() mutable {
        std::move (*resume)(std::move(status));
      });
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(core::Status)>(
      initiate, asio::use_awaitable, std::move(change));
}

}  // namespace gateway::sync
