#include "plugins/lm/modules/head_loss.h"

#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>

// head_bench ROWS TEACHER-WIDTH STUDENT-WIDTH WORDS ROUNDS: a line of JSON a round. The loss and
// all its gradients, and beside them the same four matrix products alone, as large as suits the
// library.

using namespace stillroom::lm;

namespace {

/// The rule of head.py.
at::Tensor made(std::uint64_t seed, std::int64_t rows, std::int64_t columns, float size) {
    at::Tensor out = at::empty({rows, columns}, at::kFloat);
    float* values = out.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < out.numel(); i++) {
        auto x =
            static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) * 2654435761U + seed * 40503);
        x ^= x >> 15;
        x *= 2246822519U;
        x ^= x >> 13;
        values[i] = (static_cast<float>(x >> 16) / 32768 - 1) * size;
    }
    return out;
}

struct Spent {
    double seconds = 0, processor = 0;
};

double processor() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class Work>
Spent spent(const Work& work) {
    auto begin = std::chrono::steady_clock::now();
    double before = processor();
    work();
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return {.seconds = seconds.count(), .processor = processor() - before};
}

/// A line of /proc/self/status, in bytes.
std::int64_t status(const char* name) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name))
            return std::strtoll(line.c_str() + std::strlen(name) + 1, nullptr, 10) * 1024;
    return 0;
}

void products(const HeadBatch& batch, const HeadSlopes& into) {
    constexpr std::int64_t kWords = 8192;
    const HeadSide &s = batch.student, &t = *batch.teacher;
    std::int64_t words = s.weight_VD.size(0), rows = s.hidden_TD.size(0);
    at::Tensor logits = at::empty({rows, kWords}, at::kFloat);
    for (std::int64_t first = 0; first < words; first += kWords) {
        std::int64_t count = std::min(kWords, words - first);
        at::Tensor part = logits.flatten().narrow(0, 0, rows * count).view({rows, count});
        at::mm_out(part, t.hidden_TD, t.weight_VD.narrow(0, first, count).t());
        at::mm_out(part, s.hidden_TD, s.weight_VD.narrow(0, first, count).t());
        at::Tensor hidden = into.hidden_TD, weight = into.weight_VD.narrow(0, first, count);
        at::addmm_out(hidden, hidden, part, s.weight_VD.narrow(0, first, count));
        at::addmm_out(weight, weight, part.t(), s.hidden_TD);
    }
}

}  // namespace

int main(int count, char** words) {
    if (count != 6)
        return 2;
    auto number = [&](int i) { return std::strtoll(words[i], nullptr, 10); };
    std::int64_t rows = number(1), vocab = number(4);
    HeadBatch batch;
    batch.teacher = {.hidden_TD = made(1, rows, number(2), 1),
                     .weight_VD = made(2, vocab, number(2), 0.2F),
                     .cap = {}};
    batch.student = {.hidden_TD = made(3, rows, number(3), 1),
                     .weight_VD = made(4, vocab, number(3), 0.2F),
                     .cap = {}};
    batch.labels_T = at::zeros({rows}, at::kLong);
    HeadSlopes into{.hidden_TD = at::zeros_like(batch.student.hidden_TD),
                    .weight_VD = at::zeros_like(batch.student.weight_VD)};
    HeadTerms terms{.kl = KlTerm{}, .ce_weight = 0};
    for (long long round = 0; round <= number(5); round++) {
        into.weight_VD.zero_();
        std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew
        std::int64_t before = status("VmRSS:");
        HeadSums sums;
        Spent ours = spent([&] { sums = head_slopes(batch, terms, into); });
        std::int64_t extra = status("VmHWM:") - before;
        double hidden = into.hidden_TD.norm().item<double>(),
               weight = into.weight_VD.norm().item<double>();
        Spent floor = spent([&] { products(batch, into); });
        if (round == 0)
            continue;  // pages and libraries
        std::printf(
            "{\"kl\": %.9g, \"hidden\": %.9g, \"weight\": %.9g, \"seconds\": %.4f, \"processor\": "
            "%.4f, "
            "\"floor\": %.4f, \"floor_processor\": %.4f, \"extra\": %lld, \"threads\": %d}\n",
            sums.kl,
            hidden,
            weight,
            ours.seconds,
            ours.processor,
            floor.seconds,
            floor.processor,
            static_cast<long long>(extra),
            at::get_num_threads());
    }
}
