#include "plugins/lm/parallel/comm.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/parallel/ranks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <string>

using namespace stillroom;
using namespace std::chrono_literals;
using lm::Comm;
using lm::on_ranks;
using lm::place_of;

namespace {

bool contains(const std::string& text, const std::string& part) {
    CAPTURE(text);
    return text.find(part) != std::string::npos;
}

/// By memory, and as ranks of several hosts do.
std::vector<std::string> both_ways(int world,
                                   std::chrono::milliseconds deadline,
                                   const std::function<void(Comm)>& act) {
    std::vector<std::string> all;
    for (bool shares_memory : {true, false})
        for (std::string& thrown : on_ranks(world, deadline, act, {}, shares_memory))
            all.push_back(std::move(thrown));
    return all;
}

}  // namespace

TEST_CASE("every collective does what it says among three ranks") {
    for (bool shares_memory : {true, false}) {
        at::Tensor sum[3], most[3], whole[3], part[3], told[3];
        bool stop[3];
        auto act = [&](Comm comm) {
            int r = comm.rank();
            sum[r] = at::full({4}, r + 1.0);
            comm.sum(sum[r], "sum").wait();
            most[r] = at::full({2}, r * 10.0);
            comm.max(most[r], "most").wait();
            whole[r] = at::zeros({6});
            comm.gather(whole[r], at::full({2}, double(r)), "whole").wait();
            part[r] = at::zeros({2});
            comm.scatter_sum(part[r], at::arange(6, at::kFloat), "part").wait();
            told[r] = at::full({1}, double(r));
            comm.broadcast(told[r], 2, "told").wait();
            stop[r] = comm.any(r == 1, "stop");
            comm.barrier("end");
        };
        CHECK(on_ranks(3, 20s, act, {}, shares_memory) == std::vector<std::string>(3));
        for (int r = 0; r < 3; r++) {
            CHECK(sum[r].equal(at::full({4}, 6.0)));
            CHECK(most[r].equal(at::full({2}, 20.0)));
            CHECK(whole[r].sum().item<float>() == 6);
            CHECK(whole[r][5].item<float>() == 2);
            CHECK(part[r].equal(at::arange(2 * r, 2 * r + 2, at::kFloat) * 3));
            CHECK(told[r].item<float>() == 2);
            CHECK(stop[r]);
        }
    }
}

TEST_CASE("what is longer than a slot of shared memory comes whole, of every type") {
    constexpr std::int64_t kCount = 3 * 100'003;
    auto numbers = [](int rank, at::ScalarType type) {
        return at::arange(kCount, at::kLong).add_(1 + 10 * rank).remainder(32).to(type);
    };
    for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong}) {
        at::Tensor all = numbers(0, type) + numbers(1, type) + numbers(2, type);
        std::vector<at::Tensor> sums(3), parts(3), wholes(3);
        CHECK(both_ways(3, 20s, [&](Comm comm) {
                  int r = comm.rank();
                  auto at = static_cast<std::size_t>(r);
                  sums[at] = numbers(r, type);
                  comm.sum(sums[at], "sum").wait();
                  parts[at] = at::zeros({kCount / 3}, type);
                  comm.scatter_sum(parts[at], numbers(r, type), "part").wait();
                  wholes[at] = at::zeros({kCount}, type);
                  comm.gather(wholes[at], parts[at], "whole").wait();
                  CHECK(sums[at].equal(all));
                  CHECK(wholes[at].equal(all));
              }) == std::vector<std::string>(6));
        CHECK(parts[1].equal(all.narrow(0, kCount / 3, kCount / 3)));
    }
}

TEST_CASE("what is sent arrives in order while something else goes the other way") {
    float got = 0;
    auto thrown = on_ranks(2, 20s, [&](Comm comm) {
        int other = 1 - comm.rank();
        at::Tensor first = at::full({3}, 1.0), second = at::full({3}, 2.0), in = at::zeros({3});
        lm::Pending one = comm.send(first, other, "one"), two = comm.send(second, other, "two");
        comm.receive(in, other, "one").wait();
        CHECK(in[0].item<float>() == 1);
        comm.receive(in, other, "two").wait();
        one.wait();
        two.wait();
        if (comm.rank() == 0)
            got = in[0].item<float>();
    });
    CHECK(thrown == std::vector<std::string>(2));
    CHECK(got == 2);
}

TEST_CASE("groups of a world of four do not hear each other") {
    float row[4], column[4];
    auto thrown = on_ranks(4, 20s, [&](Comm comm) {
        int r = comm.rank();
        Comm rows = comm.group(r < 2 ? std::vector{0, 1} : std::vector{2, 3}, "rows");
        Comm columns = comm.group(r % 2 == 0 ? std::vector{0, 2} : std::vector{1, 3}, "columns");
        CHECK(rows.rank() == r % 2);
        CHECK(columns.size() == 2);
        at::Tensor x = at::full({1}, double(r)), y = at::full({1}, double(r));
        rows.sum(x, "x").wait();
        columns.sum(y, "y").wait();
        row[r] = x.item<float>();
        column[r] = y.item<float>();
        comm.barrier("end");
    });
    CHECK(thrown == std::vector<std::string>(4));
    for (int r = 0; r < 4; r++) {
        CHECK(row[r] == (r < 2 ? 1 : 5));
        CHECK(column[r] == (r % 2 == 0 ? 2 : 4));
    }
}

TEST_CASE("a rank that is gone is named by the others, with what they waited for") {
    std::vector<std::string> thrown = both_ways(2, 20s, [&](Comm comm) {
        comm.barrier("begin");
        if (comm.rank() == 1)
            return;
        comm.sum(at::zeros({4}), "gradients").wait();
    });
    for (std::size_t way : {0, 2}) {
        CHECK(contains(thrown[way], "7 rank 1 on "));
        CHECK(contains(thrown[way], " is gone: sum 'gradients'"));
    }
}

TEST_CASE("a rank that is late is told from one that is gone") {
    for (bool shares_memory : {true, false}) {
        std::promise<void> told;
        auto act = [&](Comm comm) {
            comm.barrier("begin");
            if (comm.rank() == 1) {  // until that is told of it
                told.get_future().wait_for(60s);
                return;
            }
            try {
                comm.sum(at::zeros({4}), "gradients").wait();
            } catch (const Error&) {
                told.set_value();
                throw;
            }
        };
        std::vector<std::string> thrown = on_ranks(2, 4s, act, {}, shares_memory);
        CHECK(contains(thrown[0], "7 rank 1 on "));
        CHECK(contains(thrown[0], " is at max 'begin': sum 'gradients'"));
    }
}

TEST_CASE("ranks that nobody meets give up with the place's name") {
    std::string text;
    try {
        MeetingPort port;
        Comm::connect({.rank = 1, .world = 2, .store = place_of(port)}, 500ms);
    } catch (const Error& problem) {
        text = problem.what();
    }
    CHECK(contains(text, "cannot meet at '127.0.0.1:"));
}

TEST_CASE("one rank alone needs nobody") {
    Comm comm = Comm::connect({}, 1s);
    at::Tensor x = at::full({2}, 3.0), whole = at::zeros({2});
    comm.sum(x, "x").wait();
    comm.gather(whole, x, "whole").wait();
    CHECK(comm.size() == 1);
    CHECK(whole.equal(x));
    CHECK_FALSE(comm.any(false, "stop"));
}
