#include "plugins/lm/kernels/accumulate.h"

#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <vector>

// The kernel against its plain twin. Without a device it is skipped by name: exit 77, as Meson has
// it.

namespace {

constexpr int kSkipped = 77;

/// The largest difference over `count` elements, or a negative number if a CUDA call failed.
double difference(std::size_t count) {
    std::vector<float> main(count), gradient(count);
    for (std::size_t i = 0; i < count; i++) {
        main[i] = static_cast<float>(i % 97) / 16;
        gradient[i] = static_cast<float>(i % 89) / 32 - 1;
    }
    std::size_t bytes = count * sizeof(float);
    float* device_main = nullptr;
    float* device_gradient = nullptr;
    if (cudaMalloc(&device_main, bytes) != cudaSuccess ||
        cudaMalloc(&device_gradient, bytes) != cudaSuccess)
        return -1;
    cudaMemcpy(device_main, main.data(), bytes, cudaMemcpyHostToDevice);
    cudaMemcpy(device_gradient, gradient.data(), bytes, cudaMemcpyHostToDevice);
    if (stillroom::lm::accumulate_cuda(device_main, device_gradient, 0.25f, count, nullptr) != 0)
        return -1;
    std::vector<float> result(count);
    if (cudaMemcpy(result.data(), device_main, bytes, cudaMemcpyDeviceToHost) != cudaSuccess)
        return -1;
    cudaFree(device_main);
    cudaFree(device_gradient);

    stillroom::lm::accumulate_plain(main.data(), gradient.data(), 0.25f, count);
    double most = 0;
    for (std::size_t i = 0; i < count; i++)
        most = std::fmax(most, std::fabs(static_cast<double>(result[i]) - main[i]));
    return most;
}

}  // namespace

int main() {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        std::puts("skipped: no CUDA device");
        return kSkipped;
    }
    int failed = 0;
    int passed = 0;
    for (std::size_t count : {std::size_t{1}, std::size_t{255}, std::size_t{1'000'003}}) {
        double most = difference(count);
        bool good = most >= 0 && most <= 1e-6;
        if (!good)
            std::printf("%zu elements: difference %g, at most 1e-6\n", count, most);
        (good ? passed : failed)++;
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
