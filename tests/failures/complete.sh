#!/usr/bin/env bash
# Checks that every OpenSSL and libcurl function that the library calls has a failing wrapper or cannot fail.
#   complete.sh LIBRARY
set -euo pipefail
library=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"

# These functions only free or read memory, or their result is one that the caller can do without: a counter, a text, a
# time.
cannot_fail='
  ASN1_TIME_free BIO_free BIO_free_all BIO_number_written BIO_s_null BIO_up_ref BN_free CRYPTO_clear_free CRYPTO_free
  ERR_clear_error ERR_peek_last_error ERR_pop_to_mark ERR_reason_error_string ERR_set_mark EVP_CIPHER_free
  EVP_CIPHER_get0_name EVP_EncodeBlock EVP_KEYMGMT_free EVP_MD_free EVP_PKEY_CTX_free EVP_PKEY_free OBJ_nid2sn
  OBJ_obj2nid OPENSSL_cleanse OPENSSL_init_crypto OPENSSL_sk_num OPENSSL_sk_pop_free OPENSSL_sk_value
  OSSL_DECODER_free OSSL_LIB_CTX_free OSSL_LIB_CTX_set0_default OSSL_PROVIDER_unload OpenSSL_version PBE2PARAM_free
  PBE2PARAM_it PBEPARAM_free PBEPARAM_it PBKDF2PARAM_free PBKDF2PARAM_it PKCS12_SAFEBAG_free
  PKCS12_SAFEBAG_get0_p8inf PKCS12_SAFEBAG_get0_pkcs8 PKCS12_SAFEBAG_get0_safes PKCS12_SAFEBAG_get_bag_nid
  PKCS12_SAFEBAG_get_nid PKCS12_free PKCS12_get0_mac PKCS12_mac_present PKCS7_free PKCS8_PRIV_KEY_INFO_free
  PKCS8_PRIV_KEY_INFO_it SCRYPT_PARAMS_free SCRYPT_PARAMS_it SSL_CTX_set_keylog_callback SSL_get0_alpn_selected
  SSL_has_pending SSL_get_error SSL_get_rbio SSL_get_wbio SSL_set0_rbio SSL_set0_wbio SSL_set_bio X509_ALGOR_get0
  X509_NAME_ENTRY_get_data X509_NAME_get_entry X509_SIG_free X509_SIG_get0 X509_check_ca X509_free X509_get0_notAfter
  X509_get0_notBefore X509_get0_serialNumber X509_get_issuer_name X509_get_subject_name curl_easy_cleanup curl_free
  curl_multi_cleanup curl_share_cleanup curl_slist_free_all curl_url_cleanup
  curl_easy_getinfo curl_easy_strerror curl_multi_info_read curl_multi_remove_handle curl_version curl_version_info'

called=$(nm --undefined-only "$library" 2> /dev/null | awk '$1 == "U" { print $2 }' |
  grep -E '^(ASN1_|BIO_|BN_|CRYPTO_|d2i_|ERR_|EVP_|i2d_|OBJ_|OPENSSL_|OpenSSL_|OSSL_|PBE|PBKDF|PEM_|PKCS|RAND_|SCRYPT|SSL_|X509_|curl_)' |
  sort -u)
wrapped=$(sed -n 's/^WRAP[A-Z_]*([^,]*, \([A-Za-z0-9_]*\).*/\1/p' third_parties.inc | sort)
missing=$(comm -23 <(echo "$called") <(tr -s ' ' '\n' <<< "$wrapped $cannot_fail" | sort -u))
[ -n "$called" ] || { echo "no calls are found in $library" >&2; exit 1; }
[ -z "$missing" ] || { echo "without a wrapper in third_parties.inc: $missing" >&2; exit 1; }
echo "$(wc -l <<< "$wrapped") functions fail in the tests, all that can"
