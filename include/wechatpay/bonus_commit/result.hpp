/// A value, or the error that stands in its place.
#ifndef WECHATPAY_BONUS_COMMIT_RESULT_HPP
#define WECHATPAY_BONUS_COMMIT_RESULT_HPP

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/export.hpp"

namespace wechatpay {

/// Thrown by Result::value() when there is no value: the one exception of this library.
class WECHATPAY_BONUS_COMMIT_TYPE BadResultAccess : public std::logic_error {
 public:
  /// what() is the error in one line.
  explicit BadResultAccess(Error error) : std::logic_error(error.to_string()), error_(std::move(error)) {}

  /// The error that stood in the place of the value.
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

/// What std::expected<T, Error> is, for C++17.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;      ///< as in std::expected
  using error_type = Error;  ///< as in std::expected

  /// So a function that gives a Result just returns the value, or the error.
  /// @{
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}
  /// @}

  /// Whether there is a value, and no error.
  /// @{
  bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// @}

  /// The value. Throws BadResultAccess, which carries the error, where there is none.
  /// @{
  const T& value() const& {
    require_value();
    return *std::get_if<0>(&content_);
  }
  T& value() & {
    require_value();
    return *std::get_if<0>(&content_);
  }
  T&& value() && {
    require_value();
    return std::move(*std::get_if<0>(&content_));
  }
  /// @}

  /// The value, unchecked: ask has_value() first.
  /// @{
  const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }
  T& operator*() & noexcept { return *std::get_if<0>(&content_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }
  T* operator->() noexcept { return std::get_if<0>(&content_); }
  /// @}

  /// The error, unchecked: ask has_value() first.
  /// @{
  const Error& error() const& noexcept { return *std::get_if<1>(&content_); }
  Error& error() & noexcept { return *std::get_if<1>(&content_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&content_)); }
  /// @}

 private:
  void require_value() const {
    if (!has_value()) throw BadResultAccess(error());
  }

  std::variant<T, Error> content_;
};

}  // namespace wechatpay

#endif
