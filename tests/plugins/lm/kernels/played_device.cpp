#include "tests/plugins/lm/kernels/played_device.h"

#include <ucontext.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

// CUDA's words, as far as the kernels use them.

namespace {

struct Index {
    unsigned x = 0;
};

constexpr unsigned kThreads = 8;  // of a block: fewer than on a device, so that each goes round

Index threadIdx, blockIdx, blockDim{kThreads}, gridDim;

/// The threads of a block, by turns: each goes on until all have to meet.
struct Turns {
    struct Thread {
        ucontext_t at;
        std::vector<char> stack = std::vector<char>(1 << 18);
        bool ended = false;
    };
    ucontext_t between;
    std::vector<Thread> threads = std::vector<Thread>(kThreads);
    const std::function<void()>* kernel = nullptr;

    static Turns& all() {
        static Turns turns;
        return turns;
    }

    void run_block(const std::function<void()>& what) {
        kernel = &what;
        for (Thread& thread : threads) {
            getcontext(&thread.at);
            thread.at.uc_stack.ss_sp = thread.stack.data();
            thread.at.uc_stack.ss_size = thread.stack.size();
            thread.at.uc_link = &between;
            thread.ended = false;
            makecontext(&thread.at, run_thread, 0);
        }
        for (bool any = true; any;) {
            any = false;
            for (threadIdx.x = 0; threadIdx.x < kThreads; threadIdx.x++)
                if (!threads[threadIdx.x].ended) {
                    any = true;
                    swapcontext(&between, &threads[threadIdx.x].at);
                }
        }
    }

    static void run_thread() {
        (*all().kernel)();
        all().threads[threadIdx.x].ended = true;
    }
};

void __syncthreads() {
    Turns& turns = Turns::all();
    swapcontext(&turns.threads[threadIdx.x].at, &turns.between);
}

}  // namespace

#define __global__
#define __device__
#define __shared__ static
#include "plugins/lm/kernels/flat_cuda.h"
#include "plugins/lm/kernels/logit_rows_cuda.h"

namespace stillroom::lm {
namespace {

int play(std::int64_t blocks, const std::function<void()>& kernel) {
    gridDim.x = static_cast<unsigned>(blocks);
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
        Turns::all().run_block(kernel);
    return 0;
}

template <class Element>
int play_sums(const LogitRows& in, const std::int64_t* label, RowSums* out) {
    return play(in.rows, [&] {
        switch (in.divergence) {
            case Divergence::forward:
                return logit_sums_kernel<Element, Divergence::forward>(in, label, out);
            case Divergence::reverse:
                return logit_sums_kernel<Element, Divergence::reverse>(in, label, out);
            case Divergence::jsd:
                return logit_sums_kernel<Element, Divergence::jsd>(in, label, out);
            case Divergence::student:
                return logit_sums_kernel<Element, Divergence::student>(in, label, out);
        }
    });
}

template <class Element>
int play_slopes(const LogitRows& in, const RowSlopes& slopes) {
    return play(in.rows, [&] {
        switch (in.divergence) {
            case Divergence::forward:
                return logit_slopes_kernel<Element, Divergence::forward>(in, slopes);
            case Divergence::reverse:
                return logit_slopes_kernel<Element, Divergence::reverse>(in, slopes);
            case Divergence::jsd:
                return logit_slopes_kernel<Element, Divergence::jsd>(in, slopes);
            case Divergence::student:
                return logit_slopes_kernel<Element, Divergence::student>(in, slopes);
        }
    });
}

constexpr std::int64_t kBlocks = 3;  // of kernels that go round

constexpr DeviceKernels kPlayed{
    .logit_sums =
        [](const LogitRows& in, const std::int64_t* label, RowSums* out, CUstream_st*) {
            return in.halves ? play_sums<Half>(in, label, out) : play_sums<float>(in, label, out);
        },
    .logit_mixture =
        [](const LogitRows& in, const RowSlopes& slopes, double* out, CUstream_st*) {
            return play(in.rows, [&] {
                in.halves ? logit_mixture_kernel<Half>(in, slopes, out)
                          : logit_mixture_kernel<float>(in, slopes, out);
            });
        },
    .logit_slopes =
        [](const LogitRows& in, const RowSlopes& slopes, CUstream_st*) {
            return in.halves ? play_slopes<Half>(in, slopes) : play_slopes<float>(in, slopes);
        },
    .adamw = [](const FlatUpdate& update,
                CUstream_st*) { return play(kBlocks, [&] { adamw_kernel(update); }); },
    .square_sums =
        [](const float* x,
           const std::uint8_t* counted,
           std::int64_t count,
           double* sums,
           CUstream_st*) {
            return play(kSquareParts, [&] { square_sums_kernel(x, counted, count, sums); });
        },
    .gated =
        [](const GatedRange& range, CUstream_st*) {
            return play(kBlocks, [&] {
                range.halves ? gated_kernel<Half>(range) : gated_kernel<float>(range);
            });
        },
    .gated_backward =
        [](const GatedRange& range, CUstream_st*) {
            return play(kBlocks, [&] {
                range.halves ? gated_backward_kernel<Half>(range)
                             : gated_backward_kernel<float>(range);
            });
        },
    .rotate =
        [](const TurnedHeads& heads, CUstream_st*) {
            return play(kBlocks, [&] {
                heads.halves ? rotate_kernel<Half>(heads) : rotate_kernel<float>(heads);
            });
        },
    .message = [](int) { return "played"; }};

}  // namespace

const DeviceKernels& played_device() {
    return kPlayed;
}

}  // namespace stillroom::lm
