#include "wechatpay/bonus_commit/impl/src.hpp"
