#include "engine/base/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

namespace stillroom {
namespace {

constexpr std::int64_t kLargestExponent = 1'000'000;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Magnitudes as digit strings, most significant first, of equal scale.

std::string pad(const std::string& digits, std::int64_t zeros) {
    return digits + std::string(static_cast<std::size_t>(zeros), '0');
}

std::strong_ordering compare_magnitudes(std::string_view a, std::string_view b) {
    if (a.size() != b.size())
        return a.size() <=> b.size();
    return a.compare(b) <=> 0;
}

std::string add_magnitudes(const std::string& a, const std::string& b) {
    std::string out(std::max(a.size(), b.size()) + 1, '0');
    int carry = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        int sum = carry;
        if (i < a.size())
            sum += a[a.size() - 1 - i] - '0';
        if (i < b.size())
            sum += b[b.size() - 1 - i] - '0';
        out[out.size() - 1 - i] = static_cast<char>('0' + sum % 10);
        carry = sum / 10;
    }
    return out;
}

/// a - b, a >= b.
std::string subtract_magnitudes(const std::string& a, const std::string& b) {
    std::string out = a;
    int borrow = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        char& digit = out[out.size() - 1 - i];
        int value = digit - '0' - borrow - (i < b.size() ? b[b.size() - 1 - i] - '0' : 0);
        borrow = value < 0 ? 1 : 0;
        digit = static_cast<char>('0' + value + 10 * borrow);
    }
    return out;
}

void strip_leading(std::string& digits) {
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
}

/// a mod b for b of any length: schoolbook, a digit at a time.
std::string remainder(const std::string& a, std::int64_t zeros, const std::string& b) {
    std::string rest;
    auto feed = [&](char digit) {
        rest.push_back(digit);
        strip_leading(rest);
        while (compare_magnitudes(rest, b) >= 0) {
            rest = subtract_magnitudes(rest, b);
            strip_leading(rest);
        }
    };
    for (char digit : a)
        feed(digit);
    for (std::int64_t i = 0; i < zeros && !rest.empty(); ++i)
        feed('0');
    return rest;
}

}  // namespace

Decimal::Decimal(std::int64_t value) : negative_(value < 0) {
    digits_ = std::to_string(value);
    if (negative_)
        digits_.erase(0, 1);
    normalize();
}

void Decimal::normalize() {
    strip_leading(digits_);
    while (!digits_.empty() && digits_.back() == '0') {
        digits_.pop_back();
        ++exponent_;
    }
    if (digits_.empty()) {
        negative_ = false;
        exponent_ = 0;
    }
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
    Decimal out;
    std::size_t i = 0;
    if (i < text.size() && (text[i] == '+' || text[i] == '-'))
        out.negative_ = text[i++] == '-';
    std::size_t digits = 0;
    while (i < text.size() && is_digit(text[i]))
        out.digits_.push_back(text[i++]), ++digits;
    if (i < text.size() && text[i] == '.') {
        ++i;
        while (i < text.size() && is_digit(text[i])) {
            out.digits_.push_back(text[i++]);
            ++digits;
            --out.exponent_;
        }
    }
    if (digits == 0)
        return std::nullopt;
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i < text.size() && text[i] == '+')
            ++i;
        std::int64_t exponent = 0;
        auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
        if (error != std::errc() || end != text.data() + text.size())
            return std::nullopt;
        if (exponent > kLargestExponent || exponent < -kLargestExponent)
            return std::nullopt;
        out.exponent_ += exponent;
    } else if (i != text.size()) {
        return std::nullopt;
    }
    out.normalize();
    return out;
}

std::optional<std::int64_t> Decimal::to_int64() const {
    if (!is_integer() || static_cast<std::int64_t>(digits_.size()) + exponent_ > 19)
        return std::nullopt;
    if (is_zero())
        return 0;
    std::string text = (negative_ ? "-" : "") + pad(digits_, exponent_);
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc())
        return std::nullopt;
    return value;
}

double Decimal::to_double() const {
    if (is_zero())
        return 0;
    std::string text = fmt::format("{}{}e{}", negative_ ? "-" : "", digits_, exponent_);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) {
        bool large = static_cast<std::int64_t>(digits_.size()) + exponent_ > 0;
        value = large ? std::numeric_limits<double>::infinity() : 0.0;
        return negative_ ? -value : value;
    }
    return value;
}

std::string Decimal::text() const {
    if (is_zero())
        return "0";
    std::string sign = negative_ ? "-" : "";
    auto point = static_cast<std::int64_t>(digits_.size()) + exponent_;  // digits before the point
    if (exponent_ >= 0 && point <= 21)
        return sign + pad(digits_, exponent_);
    if (point > 0 && point <= 21)
        return sign + digits_.substr(0, static_cast<std::size_t>(point)) + "." +
               digits_.substr(static_cast<std::size_t>(point));
    if (point <= 0 && point > -6)
        return sign + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits_;
    std::string out = sign + digits_.substr(0, 1);
    if (digits_.size() > 1)
        out += "." + digits_.substr(1);
    return out + fmt::format("e{:+}", point - 1);
}

std::string Decimal::integer_text() const {
    return is_zero() ? "0" : (negative_ ? "-" : "") + pad(digits_, exponent_);
}

bool Decimal::multiple_of(const Decimal& step) const {
    if (step.is_zero())
        return false;
    if (is_zero())
        return true;
    // Scale both to integers: only the difference of the exponents counts.
    std::int64_t zeros = exponent_ - step.exponent_;
    if (zeros >= 0)
        return remainder(digits_, zeros, step.digits_).empty();
    // The step has -zeros more zeros than this number, which ends in a digit that is not 0.
    return false;
}

Decimal Decimal::operator-() const {
    Decimal out = *this;
    out.negative_ = !negative_ && !is_zero();
    return out;
}

Decimal operator+(const Decimal& a, const Decimal& b) {
    if (a.is_zero())
        return b;
    if (b.is_zero())
        return a;
    Decimal out;
    out.exponent_ = std::min(a.exponent_, b.exponent_);
    std::string left = pad(a.digits_, a.exponent_ - out.exponent_);
    std::string right = pad(b.digits_, b.exponent_ - out.exponent_);
    if (a.negative_ == b.negative_) {
        out.digits_ = add_magnitudes(left, right);
        out.negative_ = a.negative_;
    } else {
        bool left_larger = compare_magnitudes(left, right) >= 0;
        out.digits_ =
            left_larger ? subtract_magnitudes(left, right) : subtract_magnitudes(right, left);
        out.negative_ = left_larger ? a.negative_ : b.negative_;
    }
    out.normalize();
    return out;
}

Decimal operator-(const Decimal& a, const Decimal& b) {
    return a + -b;
}

Decimal operator*(const Decimal& a, const Decimal& b) {
    Decimal out;
    if (a.is_zero() || b.is_zero())
        return out;
    std::vector<int> sums(a.digits_.size() + b.digits_.size(), 0);
    for (std::size_t i = 0; i < a.digits_.size(); ++i)
        for (std::size_t j = 0; j < b.digits_.size(); ++j)
            sums[i + j + 1] += (a.digits_[i] - '0') * (b.digits_[j] - '0');
    int carry = 0;
    out.digits_.assign(sums.size(), '0');
    for (std::size_t i = sums.size(); i-- > 0;) {
        int value = sums[i] + carry;
        out.digits_[i] = static_cast<char>('0' + value % 10);
        carry = value / 10;
    }
    out.exponent_ = a.exponent_ + b.exponent_;
    out.negative_ = a.negative_ != b.negative_;
    out.normalize();
    return out;
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
    int sign_a = a.is_zero() ? 0 : a.negative_ ? -1 : 1;
    int sign_b = b.is_zero() ? 0 : b.negative_ ? -1 : 1;
    if (sign_a != sign_b)
        return sign_a <=> sign_b;
    if (sign_a == 0)
        return std::strong_ordering::equal;
    auto size_a = static_cast<std::int64_t>(a.digits_.size()) + a.exponent_;
    auto size_b = static_cast<std::int64_t>(b.digits_.size()) + b.exponent_;
    std::strong_ordering magnitude = size_a <=> size_b;
    if (magnitude == 0)
        magnitude = a.digits_.compare(b.digits_) <=> 0;  // no trailing zeros: a prefix is smaller
    return sign_a > 0 ? magnitude : 0 <=> magnitude;
}

}  // namespace stillroom
