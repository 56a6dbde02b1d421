// The load of mllp.py: connections that each send a message, wait for its positive answer and send
// the next, for some seconds. Prints {"messages","seconds","p50_ms","p99_ms"}; any other answer is
// an error. One thread, so that the gateway has the rest of the machine.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <vector>

#include "tests/bench/oru_message.h"

namespace gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Steady = std::chrono::steady_clock;

struct Load {
  unsigned short port = 0;
  Steady::time_point end;
  std::int64_t next = 0;
  std::int64_t results = 1;
  std::vector<double> latencies_ms;
};

asio::awaitable<void> send_messages(Load& load) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect({asio::ip::address_v4::loopback(), load.port}, asio::use_awaitable);
  socket.set_option(tcp::no_delay(true));
  std::string received;
  while (Steady::now() < load.end) {
    const std::int64_t number = load.next++;
    const std::string frame = core::cat("\x0b", bench::oru_message(number, load.results), "\x1c\r");
    const auto sent_at = Steady::now();
    co_await asio::async_write(socket, asio::buffer(frame), asio::use_awaitable);
    const std::size_t length = co_await asio::async_read_until(
        socket, asio::dynamic_buffer(received), std::string_view("\x1c\r"), asio::use_awaitable);
    load.latencies_ms.push_back(
        std::chrono::duration<double, std::milli>(Steady::now() - sent_at).count());
    if (received.substr(0, length).find(core::cat("\rMSA|AA|M", number)) == std::string::npos)
      throw std::runtime_error(received.substr(0, length));
    received.erase(0, length);
  }
}

void run(Load& load, int connections, int seconds) {
  asio::io_context loop(1);
  const auto began = Steady::now();
  load.end = began + std::chrono::seconds(seconds);
  for (int i = 0; i < connections; ++i) {
    asio::co_spawn(loop, send_messages(load), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
  }
  loop.run();
  const std::chrono::duration<double> took = Steady::now() - began;
  std::vector<double>& all = load.latencies_ms;
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) {
    return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))];
  };
  std::printf("{\"messages\":%zu,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", all.size(),
              took.count(), at(0.5), at(0.99));
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) try {
  if (argc != 6) {
    std::fprintf(stderr, "usage: bench_send_messages PORT CONNECTIONS SECONDS FIRST RESULTS\n");
    return 2;
  }
  gateway::Load load;
  load.port = static_cast<unsigned short>(std::atoi(argv[1]));
  load.next = std::atoll(argv[4]);
  load.results = std::atoll(argv[5]);
  gateway::run(load, std::atoi(argv[2]), std::atoi(argv[3]));
  return 0;
} catch (const std::exception& failed) {
  std::fprintf(stderr, "%s\n", failed.what());
  return 1;
}
