#include "plugins/lm/train/lent.h"

#include <ATen/ops/full.h>
#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <future>
#include <thread>

using namespace stillroom::lm;

namespace {

std::vector<float> written(const NewTensor& tensor) {
    std::vector<float> values;
    tensor.make([&](std::span<const std::byte> bytes) {
        values.resize(bytes.size() / sizeof(float));
        std::memcpy(values.data(), bytes.data(), bytes.size());
    });
    return values;
}

}  // namespace

TEST_CASE("what is lent is written as it was, whenever that is") {
    Lent lent;
    at::Tensor x = at::full({4}, 1.0, at::kFloat), y = at::full({2}, 2.0, at::kFloat);
    NewTensor early = lent.tensor("early", x, at::kFloat, true);
    NewTensor late = lent.tensor("late", x, at::kFloat, true);
    NewTensor own = lent.tensor("own", y, at::kFloat, false);
    CHECK(late.info.shape == Shape{4});
    CHECK(written(early) == std::vector<float>(4, 1));
    lent.copy_rest();
    x.fill_(7);
    y.fill_(8);
    CHECK(written(late) == std::vector<float>(4, 1));
    CHECK(written(own) == std::vector<float>(2, 8));  // nobody was to change it
}

TEST_CASE("numbers stay as they are while somebody writes them") {
    Lent lent;
    at::Tensor x = at::full({4}, 1.0, at::kFloat);
    NewTensor tensor = lent.tensor("x", x, at::kFloat, true);
    std::promise<void> begun;
    std::vector<float> seen(4);
    auto writer = std::async(std::launch::async, [&] {
        tensor.make([&](std::span<const std::byte> bytes) {
            begun.set_value();
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            std::memcpy(seen.data(), bytes.data(), bytes.size());
        });
    });
    begun.get_future().wait();
    lent.copy_rest();
    x.fill_(7);
    writer.get();
    CHECK(seen == std::vector<float>(4, 1));
}
