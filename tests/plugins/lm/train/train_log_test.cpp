#include "plugins/lm/train/train_log.h"

#include "engine/base/files.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <limits>

namespace stillroom::lm {
namespace {

LoggedStep step_100() {
    LoggedStep at;
    at.step = 100;
    at.steps = 1000;
    at.samples = 76800;
    at.batch = 768;
    at.tokens = 768 * 512;
    at.seconds = 5.5227;
    at.ranks = 8;
    at.token_flops = 44.1e9;
    at.peak = 989e12;
    at.lr = 9.94e-5;
    at.gradient_norm = 0.84;
    at.losses = {{"total loss", 0.4312}, {"lm loss", 2.1034}};
    return at;
}

}  // namespace

TEST_CASE("the line of a step says what the page says") {
    CHECK(console_line(step_100()) ==
          "step 100/1000 | samples 76800 | 5522.7 ms | 8.90k tok/s/rank | 392 TFLOP/s/rank "
          "(39.7 % MFU) | lr 9.94e-05 | batch 768 | total loss 0.4312 | lm loss 2.1034 | grad norm "
          "0.84 | skipped 0 | nan 0 | ETA 1:22:50");
}

TEST_CASE("an unknown peak, no time and a loss that is no number can be told") {
    LoggedStep at = step_100();
    at.peak = 0;
    CHECK(console_line(at).find("MFU") == std::string::npos);
    at.seconds = 0;
    at.losses = {{"lm loss", std::numeric_limits<double>::quiet_NaN()}};
    CHECK(console_line(at).find("0.00 tok/s/rank | 0.00 TFLOP/s/rank") != std::string::npos);
    CHECK(console_line(at).find("lm loss nan") != std::string::npos);
}

TEST_CASE("curves have the names that users search for, over steps and over samples") {
    TemporaryFolder folder;
    EventFile file(folder.path(), 1);
    add_curves(file, step_100(), 2);
    std::string bytes = read_file(file.path(), 100000);
    for (const char* tag : {"learning-rate",
                            "batch-size",
                            "loss-scale",
                            "grad-norm",
                            "params-norm",
                            "iteration-time",
                            "throughput/tflops/device",
                            "lm loss",
                            "total loss"}) {
        CHECK(bytes.find(tag) != std::string::npos);
        CHECK(bytes.find(std::string(tag) + " vs samples") != std::string::npos);
    }
}

}  // namespace stillroom::lm
