#include "plugins/lm/modules/head_loss.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/modules/head_engine.h"
#include "tests/plugins/lm/kernels/kernel_places.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <limits>
#include <thread>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

constexpr double kExact = 1e-5;  // of fp32 against fp64

struct LossCase {
    std::string name;
    HeadTerms terms;
    HeadBatch batch;
    bool tied = false;
    double kl = 0, ce = 0;
    std::int64_t agreeing = 0;
    at::Tensor hidden_TD, weight_VD;  ///< slopes
};

HeadTerms terms_of(const Json& entry) {
    HeadTerms terms;
    auto number = [](const Json& map, const char* key, double otherwise) {
        const Json* value = map.find(key);
        return value != nullptr ? value->number() : otherwise;
    };
    terms.ce_weight = number(entry, "ce", 0);
    const Json* kl = entry.find("kl");
    if (kl == nullptr)
        return terms;
    KlTerm& term = terms.kl.emplace();
    term.weight = number(*kl, "weight", 1);
    term.temperature = number(*kl, "temperature", 1);
    term.scale_t2 = kl->find("scale_t2") != nullptr;
    term.beta = number(*kl, "beta", 0.5);
    term.top_k = static_cast<std::int64_t>(number(*kl, "top_k", 0));
    term.top_p = number(*kl, "top_p", 1);
    term.top_p_min_k = static_cast<std::int64_t>(number(*kl, "top_p_min_k", 1));
    if (const Json* tail = kl->find("tail"))
        term.tail = tail->string() == "bucket" ? Tail::bucket : Tail::renormalise;
    if (const Json* direction = kl->find("direction"))
        term.direction = direction->string() == "forward"   ? Divergence::forward
                         : direction->string() == "reverse" ? Divergence::reverse
                                                            : Divergence::jsd;
    return terms;
}

HeadSide side_of(const Json& entry, const char* name, std::size_t which) {
    std::int64_t width = entry.at("widths").list()[which].integer(),
                 words = entry.at("vocab").list()[which].integer();
    HeadSide side{.hidden_TD = 2 * made_numbers(std::string(name) + " hidden",
                                                {entry.at("tokens").integer(), width}),
                  .weight_VD = made_numbers(std::string(name) + " head", {words, width}),
                  .cap = {}};
    if (const Json* cap = entry.find(which == 0 ? "cap" : "teacher_cap"))
        side.cap = cap->number();
    return side;
}

std::vector<LossCase> read_loss_cases() {
    const std::filesystem::path folder = STILLROOM_SOURCE "/tests/reference/losses";
    std::string blob = read_file(folder / "slopes.bin", 1 << 20);
    std::size_t at = 0;
    auto numbers = [&](const at::Tensor& like) {
        at::Tensor out = at::empty_like(like);
        REQUIRE(at + out.nbytes() <= blob.size());
        std::memcpy(out.mutable_data_ptr(), blob.data() + at, out.nbytes());
        at += out.nbytes();
        return out;
    };
    std::vector<LossCase> out;
    Json text = Json::parse(read_file(folder / "cases.json", 1 << 20));
    for (const Json& entry : text.list()) {
        LossCase one;
        one.name = entry.at("name").string();
        one.terms = terms_of(entry);
        one.batch.student = side_of(entry, "student", 0);
        if (one.terms.kl)
            one.batch.teacher = side_of(entry, "teacher", 1);
        std::vector<std::int64_t> labels;
        for (const Json& label : entry.at("labels").list())
            labels.push_back(label.integer());
        one.batch.labels_T = at::tensor(labels, at::kLong);
        one.tied = entry.find("tied") != nullptr;
        one.kl = entry.at("sums").at("kl").number();
        one.ce = entry.at("sums").at("ce").number();
        one.agreeing = entry.at("sums").at("agreeing").integer();
        one.hidden_TD = numbers(one.batch.student.hidden_TD);
        one.weight_VD = numbers(one.batch.student.weight_VD);
        out.push_back(std::move(one));
    }
    REQUIRE(at == blob.size());
    return out;
}

const std::vector<LossCase>& loss_cases() {
    static const std::vector<LossCase> all = read_loss_cases();
    return all;
}

const LossCase& loss_case(const std::string& name) {
    return *std::find_if(
        loss_cases().begin(), loss_cases().end(), [&](auto& one) { return one.name == name; });
}

/// Of all numbers together.
double relative_gap(const at::Tensor& found, const at::Tensor& expected) {
    double size = expected.norm().item<double>(), gap = (found - expected).norm().item<double>();
    return size == 0 ? gap : gap / size;
}

struct Found {
    HeadSums sums;
    at::Tensor hidden_TD, weight_VD;
};

Found slopes_of(const HeadBatch& batch, const HeadTerms& terms, double scale = 1) {
    Found out{.sums = {},
              .hidden_TD = at::full(batch.student.hidden_TD.sizes(),
                                    std::numeric_limits<double>::quiet_NaN(),
                                    batch.student.hidden_TD.options()),
              .weight_VD = at::zeros(batch.student.weight_VD.sizes(), at::kFloat)};
    out.sums = head_slopes(
        batch, terms, {.scale = scale, .hidden_TD = out.hidden_TD, .weight_VD = out.weight_VD});
    return out;
}

void check_sums(const HeadSums& sums, const LossCase& one) {
    CHECK(std::abs(sums.kl - one.kl) <= kExact * std::abs(one.kl));
    CHECK(std::abs(sums.ce - one.ce) <= kExact * std::abs(one.ce));
    CHECK(sums.agreeing == one.agreeing);
    CHECK(sums.nonfinite == 0);
}

/// Ranks that are threads: each waits for all and takes what they brought.
class Meeting {
public:
    explicit Meeting(std::int64_t ranks) : parts_(static_cast<std::size_t>(ranks)), all_(ranks) {}

    at::Tensor gather(std::size_t rank, const at::Tensor& own) {
        parts_[rank] = own.clone();
        all_.arrive_and_wait();
        at::Tensor out = at::stack(parts_);
        all_.arrive_and_wait();
        return out;
    }

private:
    std::vector<at::Tensor> parts_;
    std::barrier<> all_;
};

/// The widest block that anybody asks for while it lives.
class WidestAllocation : public c10::Allocator {
public:
    WidestAllocation() : other_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, 100); }
    ~WidestAllocation() override { c10::SetCPUAllocator(other_, 100); }

    c10::DataPtr allocate(std::size_t bytes) override {
        widest = std::max(widest, bytes);
        total += bytes;
        return other_->allocate(bytes);
    }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        other_->copy_data(to, from, bytes);
    }

    std::size_t widest = 0, total = 0;

private:
    c10::Allocator* other_;
};

}  // namespace

TEST_CASE(
    "losses over a head and all their gradients are PyTorch's in fp64, in chunks of any size") {
    for (const LossCase& one : loss_cases()) {
        if (one.tied)
            continue;
        CAPTURE(one.name);
        for (std::int64_t rows : {1, 7, 16, 0}) {
            CAPTURE(rows);
            HeadBatch batch = one.batch;
            batch.rows_at_once = rows;
            Found found = slopes_of(batch, one.terms);
            check_sums(found.sums, one);
            CHECK(relative_gap(found.hidden_TD, one.hidden_TD) <= kExact);
            CHECK(relative_gap(found.weight_VD, one.weight_VD) <= kExact);
            check_sums(head_sums(batch, one.terms), one);
        }
    }
}

TEST_CASE("LibTorch's operators find what PyTorch finds too, as a device would") {
    for (const LossCase& one : loss_cases()) {
        if (one.tied)
            continue;
        CAPTURE(one.name);
        for (std::int64_t most : {7, 2048}) {
            HeadBatch batch = one.batch;
            batch.rows_at_once = most;
            std::int64_t words = batch.student.weight_VD.size(0);
            if (batch.teacher)
                words = std::min(words, batch.teacher->weight_VD.size(0));
            std::vector<std::int64_t> rows;
            for (std::int64_t i = 0; i < batch.labels_T.numel(); i++)
                if (batch.labels_T[i].item<std::int64_t>() >= 0)
                    rows.push_back(i);
            HeadSlopes slopes{.hidden_TD = at::zeros_like(one.hidden_TD),
                              .weight_VD = at::zeros_like(one.weight_VD)};
            auto engine = operator_head_engine(batch, one.terms, words);
            check_sums(run_chunks(*engine, batch, one.terms, rows, &slopes), one);
            CHECK(relative_gap(slopes.hidden_TD, one.hidden_TD) <= kExact);
            CHECK(relative_gap(slopes.weight_VD, one.weight_VD) <= kExact);
        }
    }
}

namespace {

/// What the kernels of a device make of a batch, on its device and back.
struct OnDevice {
    HeadSums sums;
    at::Tensor hidden_TD, weight_VD;

    OnDevice(const KernelPlace& place, HeadBatch batch, const HeadTerms& terms, std::int64_t most) {
        batch.rows_at_once = most;
        std::int64_t words = batch.student.weight_VD.size(0);
        if (batch.teacher)
            words = std::min(words, batch.teacher->weight_VD.size(0));
        for (HeadSide* side : {&batch.student, batch.teacher ? &*batch.teacher : nullptr})
            if (side != nullptr) {
                side->hidden_TD = side->hidden_TD.to(place.device);
                side->weight_VD = side->weight_VD.to(place.device);
            }
        std::vector<std::int64_t> rows;
        for (std::int64_t i = 0; i < batch.labels_T.numel(); i++)
            if (batch.labels_T[i].item<std::int64_t>() >= 0)
                rows.push_back(i);
        hidden_TD = at::zeros_like(batch.student.hidden_TD);
        weight_VD = at::zeros(batch.student.weight_VD.sizes(),
                              batch.student.weight_VD.options().dtype(at::kFloat));
        HeadSlopes slopes{.scale = 1, .hidden_TD = hidden_TD, .weight_VD = weight_VD};
        auto engine = device_head_engine(batch, terms, words, std::ssize(rows), *place.kernels);
        sums = run_chunks(*engine, batch, terms, rows, &slopes);
        hidden_TD = hidden_TD.cpu();
        weight_VD = weight_VD.cpu();
    }
};

}  // namespace

TEST_CASE("the kernels of a device find what PyTorch finds, of every loss, in chunks of any size") {
    for (const KernelPlace& place : kernel_places())
        for (const LossCase& one : loss_cases()) {
            if (one.tied)
                continue;
            CAPTURE(place.name);
            CAPTURE(one.name);
            for (std::int64_t most : {7, 0}) {
                OnDevice found(place, one.batch, one.terms, most);
                check_sums(found.sums, one);
                CHECK(relative_gap(found.hidden_TD, one.hidden_TD) <= kExact);
                CHECK(relative_gap(found.weight_VD, one.weight_VD) <= kExact);
            }
        }
}

TEST_CASE("the kernels of a device take bf16, and rows without a finite logit have no slope") {
    for (const KernelPlace& place : kernel_places()) {
        CAPTURE(place.name);
        LossCase one = loss_case("reverse at 2 with cross entropy");  // made of bf16 numbers
        for (HeadSide* side : {&one.batch.student, &*one.batch.teacher}) {
            side->weight_VD = side->weight_VD.to(at::kBFloat16);
            side->hidden_TD = side->hidden_TD.to(at::kBFloat16);
        }
        OnDevice found(place, one.batch, one.terms, 0);
        CHECK(found.sums.kl == doctest::Approx(one.kl).epsilon(0.02));  // logits are rounded
        CHECK(found.sums.ce == doctest::Approx(one.ce).epsilon(0.02));
        CHECK(relative_gap(found.hidden_TD, one.hidden_TD) <= 0.03);
        CHECK(relative_gap(found.weight_VD, one.weight_VD) <= 0.03);

        for (const LossCase& other : loss_cases()) {
            if (other.tied)
                continue;
            CAPTURE(other.name);
            HeadBatch broken = other.batch;
            std::int64_t row = 0;
            while (broken.labels_T[row].item<std::int64_t>() < 0)
                row++;
            broken.student.hidden_TD = broken.student.hidden_TD.clone();
            broken.student.hidden_TD[row][0] = std::numeric_limits<float>::quiet_NaN();
            OnDevice dead(place, broken, other.terms, 0);
            CHECK(dead.sums.nonfinite == 1);
            CHECK(dead.hidden_TD[row].abs().max().item<double>() == 0);
            CHECK(dead.hidden_TD.isfinite().all().item<bool>());
        }
    }
}

TEST_CASE("one thread and two find the same within rounding, two twice exactly the same") {
    int threads = at::get_num_threads();
    for (const char* name : {"forward", "jsd of a small share", "a nucleus"}) {
        const LossCase& one = loss_case(name);
        at::set_num_threads(1);
        Found alone = slopes_of(one.batch, one.terms);
        at::set_num_threads(2);
        Found first = slopes_of(one.batch, one.terms), second = slopes_of(one.batch, one.terms);
        CHECK(relative_gap(first.hidden_TD, alone.hidden_TD) <= 1e-6);
        CHECK(at::equal(first.hidden_TD, second.hidden_TD));
        CHECK(at::equal(first.weight_VD, second.weight_VD));
        CHECK(first.sums.kl == second.sums.kl);
    }
    at::set_num_threads(threads);
}

TEST_CASE("rows that do not count cost nothing and get no gradient") {
    for (const LossCase& one : loss_cases()) {
        HeadBatch batch = one.batch;
        Found found = slopes_of(batch, one.terms);
        std::int64_t counted = 0;
        for (std::int64_t i = 0; i < batch.labels_T.numel(); i++) {
            bool counts = batch.labels_T[i].item<std::int64_t>() >= 0;
            counted += counts ? 1 : 0;
            if (!counts)
                CHECK(found.hidden_TD[i].abs().max().item<double>() == 0);
        }
        CHECK(found.sums.rows == counted);
    }
    HeadBatch none = loss_case("forward").batch;
    none.labels_T = at::full_like(none.labels_T, -100);
    Found found = slopes_of(none, loss_case("forward").terms);
    CHECK(found.sums.rows == 0);
    CHECK(found.sums.kl == 0);
    CHECK(found.hidden_TD.abs().max().item<double>() == 0);
}

TEST_CASE("a model distilled into itself has nothing to learn") {
    for (const LossCase& one : loss_cases()) {
        if (!one.terms.kl || one.tied)
            continue;
        CAPTURE(one.name);
        HeadBatch batch = one.batch;
        batch.teacher = batch.student;
        HeadTerms terms = one.terms;
        terms.ce_weight = 0;
        Found found = slopes_of(batch, terms);
        bool exactly = terms.kl->top_k == 0;  // AdamW would make a step of any rounding
        CHECK(std::abs(found.sums.kl) <= (exactly ? 0 : 1e-5));
        CHECK(found.hidden_TD.abs().max().item<double>() <= (exactly ? 0 : 3e-6));
        CHECK(found.sums.agreeing == found.sums.rows);
    }
}

TEST_CASE("ranks that share the vocabulary find what one finds") {
    for (const LossCase& one : loss_cases()) {
        if (one.tied)
            continue;
        CAPTURE(one.name);
        for (std::int64_t ranks : {2, 3}) {
            std::int64_t words = one.batch.student.weight_VD.size(0);
            if (one.terms.kl)
                words = std::min(words, one.batch.teacher->weight_VD.size(0));
            Meeting meeting(ranks);
            std::vector<Found> found(static_cast<std::size_t>(ranks));
            std::vector<std::thread> threads;
            for (std::int64_t rank = 0; rank < ranks; rank++)
                threads.emplace_back([&, rank] {
                    std::int64_t first = words * rank / ranks,
                                 count = words * (rank + 1) / ranks - first;
                    HeadBatch batch = one.batch;
                    batch.rows_at_once = 7;
                    batch.student.weight_VD = batch.student.weight_VD.narrow(0, first, count);
                    if (batch.teacher)
                        batch.teacher->weight_VD = batch.teacher->weight_VD.narrow(0, first, count);
                    auto index = static_cast<std::size_t>(rank);
                    batch.shard = {
                        .first = first, .total = words, .all_gather = [&](const at::Tensor& own) {
                            return meeting.gather(index, own);
                        }};
                    found[index] = slopes_of(batch, one.terms);
                });
            for (std::thread& thread : threads)
                thread.join();
            at::Tensor hidden_TD = at::zeros_like(one.hidden_TD);
            std::int64_t first = 0;
            for (const Found& part : found) {
                check_sums(part.sums, one);
                hidden_TD += part.hidden_TD;
                std::int64_t count = part.weight_VD.size(0);
                CHECK((part.weight_VD - one.weight_VD.narrow(0, first, count))
                          .norm()
                          .item<double>() <= kExact * one.weight_VD.norm().item<double>());
                first += count;
            }
            CHECK(relative_gap(hidden_TD, one.hidden_TD) <= kExact);
        }
    }
}

TEST_CASE("autograd gets the gradients that were made forward, of a tied head too") {
    for (const LossCase& one : loss_cases()) {
        CAPTURE(one.name);
        HeadBatch batch = one.batch;
        batch.student.weight_VD = batch.student.weight_VD.clone().requires_grad_();
        const at::Tensor& weight_VD = batch.student.weight_VD;
        if (one.tied) {
            at::Tensor ids = ((made_numbers("ids", {one.hidden_TD.size(0)}) + 1) * 128 * 5)
                                 .to(at::kLong)
                                 .remainder(weight_VD.size(0));
            batch.student.hidden_TD = 2 * weight_VD.index_select(0, ids);
        } else {
            batch.student.hidden_TD = batch.student.hidden_TD.clone().requires_grad_();
        }
        batch.student.hidden_TD.retain_grad();
        HeadLoss loss = head_loss(batch, one.terms);
        check_sums(loss.sums, one);
        (loss.total * 3).backward();
        CHECK(relative_gap(batch.student.hidden_TD.grad(), 3 * one.hidden_TD) <= kExact);
        CHECK(relative_gap(weight_VD.grad(), 3 * one.weight_VD) <= kExact);
        double kl = one.terms.kl ? one.terms.kl->weight * one.kl : 0;
        CHECK(loss.total.item<double>() ==
              doctest::Approx(kl + one.terms.ce_weight * one.ce).epsilon(kExact));
    }
}

TEST_CASE("a main gradient is added to at once, and then the slope must be 1") {
    const LossCase& one = loss_case("forward");
    for (double slope : {1.0, 2.0}) {
        HeadBatch batch = one.batch;
        batch.student.hidden_TD = batch.student.hidden_TD.clone().requires_grad_();
        at::Tensor main_VD = at::ones(one.weight_VD.sizes(), at::kFloat);
        HeadLoss loss = head_loss(batch, one.terms, main_VD);
        CHECK(relative_gap(main_VD - 1, one.weight_VD) <= kExact);
        if (slope == 1) {
            loss.total.backward();
            CHECK(relative_gap(batch.student.hidden_TD.grad(), one.hidden_TD) <= kExact);
        } else {
            CHECK_THROWS_AS((loss.total * slope).backward(), c10::Error);
        }
    }
}

TEST_CASE("without a wish for gradients none are made") {
    const LossCase& one = loss_case("forward");
    HeadLoss loss = head_loss(one.batch, one.terms);
    CHECK(!loss.total.requires_grad());
    check_sums(loss.sums, one);
}

TEST_CASE("weights in bf16 are as the same numbers in fp32, slices and slopes in bf16 too") {
    const LossCase& one = loss_case("reverse at 2 with cross entropy");  // made of bf16 numbers
    HeadBatch batch = one.batch;
    for (HeadSide* side : {&batch.student, &*batch.teacher}) {
        at::Tensor wide = at::ones({side->weight_VD.size(0), side->weight_VD.size(1) + 5});
        at::Tensor slice = wide.narrow(1, 0, side->weight_VD.size(1));
        slice.copy_(side->weight_VD);
        side->weight_VD = slice;
    }
    CHECK(relative_gap(slopes_of(batch, one.terms).hidden_TD, one.hidden_TD) <= kExact);
    for (HeadSide* side : {&batch.student, &*batch.teacher}) {
        side->weight_VD = side->weight_VD.to(at::kBFloat16);
        side->hidden_TD = side->hidden_TD.to(at::kBFloat16);
    }
    Found found = slopes_of(batch, one.terms);
    check_sums(found.sums, one);
    CHECK(relative_gap(found.weight_VD, one.weight_VD) <= kExact);
    CHECK((found.hidden_TD.scalar_type() == at::kBFloat16));
    CHECK(relative_gap(found.hidden_TD, one.hidden_TD) <= 4e-3);
}

TEST_CASE("the scale of slopes is no part of the sums") {
    const LossCase& one = loss_case("top 7 at half the temperature");
    Found found = slopes_of(one.batch, one.terms, 8);
    check_sums(found.sums, one);
    CHECK(relative_gap(found.hidden_TD, 8 * one.hidden_TD) <= kExact);
    CHECK(relative_gap(found.weight_VD, 8 * one.weight_VD) <= kExact);
}

TEST_CASE("a logit that is not finite is counted, spoils the sums and teaches nothing") {
    for (const LossCase& one : loss_cases()) {
        CAPTURE(one.name);
        for (float wrong :
             {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
            if (one.batch.student.cap && std::isinf(wrong))
                continue;  // which a cap makes finite
            HeadBatch batch = one.batch;
            batch.student.hidden_TD = batch.student.hidden_TD.clone();
            batch.student.hidden_TD[5][2] = wrong;
            Found found = slopes_of(batch, one.terms);
            CHECK(found.sums.nonfinite == 1);
            CHECK(std::isnan(found.sums.ce));
            CHECK(found.hidden_TD.isfinite().all().item<bool>());
            CHECK(found.hidden_TD[5].abs().max().item<double>() == 0);
            try {
                found.sums.expect_finite();
                CHECK(false);
            } catch (const Error& error) {
                CHECK(error.exit_code() == kExitNumeric);
            }
        }
    }
}

TEST_CASE("no logits of all rows exist, and nothing beside a chunk's does") {
    std::int64_t rows = 512, words = 20'000, width = 16;
    HeadBatch batch;
    batch.student = {.hidden_TD = made_numbers("student hidden", {rows, width}),
                     .weight_VD = made_numbers("student head", {words, width}),
                     .cap = {}};
    batch.teacher = {.hidden_TD = made_numbers("teacher hidden", {rows, width}),
                     .weight_VD = made_numbers("teacher head", {words, width}),
                     .cap = {}};
    batch.labels_T = at::zeros({rows}, at::kLong);
    batch.rows_at_once = 48;
    at::Tensor hidden_TD = at::empty_like(batch.student.hidden_TD),
               weight_VD = at::zeros_like(batch.student.weight_VD);
    HeadTerms terms{.kl = KlTerm{}, .ce_weight = 1};
    WidestAllocation memory;
    head_slopes(batch, terms, {.hidden_TD = hidden_TD, .weight_VD = weight_VD});
    auto chunk = static_cast<std::size_t>(48 * words) * sizeof(float);
    CHECK(memory.widest == 2 * chunk);  // both sides
    CHECK(memory.total <= 2 * chunk + (std::size_t{4} << 20));
}

TEST_CASE("terms that make no sense are refused by their setting") {
    auto refused = [](HeadTerms terms) {
        try {
            check_terms(terms);
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitUsage);
            return error.setting();
        }
        return std::string("taken");
    };
    CHECK(refused({.kl = KlTerm{.temperature = 0}}) == "loss.kl.temperature");
    CHECK(refused({.kl = KlTerm{.weight = -1}}) == "loss.kl.weight");
    CHECK(refused({.kl = KlTerm{.direction = Divergence::jsd, .beta = 1}}) == "loss.kl.beta");
    CHECK(refused({.kl = KlTerm{.top_k = -1}}) == "loss.kl.top_k");
    CHECK(refused({.kl = KlTerm{.top_k = 5, .top_p = 1.5}}) == "loss.kl.top_p");
    CHECK(refused({.kl = KlTerm{.top_p = 0.9}}) == "loss.kl.top_p");
    CHECK(refused({.kl = {}, .ce_weight = std::numeric_limits<double>::quiet_NaN()}) ==
          "loss.ce.weight");
    CHECK(refused({.kl = KlTerm{.top_k = 5, .top_p = 0.9}}) == "taken");
}

TEST_CASE("a label beyond the vocabulary is refused") {
    HeadBatch batch = loss_case("forward").batch;
    batch.labels_T = at::full_like(batch.labels_T, batch.student.weight_VD.size(0));
    CHECK_THROWS_WITH_AS(head_sums(batch, loss_case("forward").terms),
                         "token 101 is asked for, of a vocabulary of 101",
                         Error);
}
