<?php
// Replaces wechatpay-php, which Debian does not package. It has the same names and sends the same bytes (Accept,
// Content-Type, User-Agent, the order in Authorization, no Wechatpay-Serial). It verifies answers as the SDK does.

namespace WeChatPay\Crypto {
    class Rsa
    {
        public const KEY_TYPE_PUBLIC = 'public';
        public const KEY_TYPE_PRIVATE = 'private';

        public static function from(string $thing, string $type)
        {
            return $type === self::KEY_TYPE_PRIVATE ? openssl_pkey_get_private($thing) : openssl_pkey_get_public($thing);
        }
    }
}

namespace WeChatPay {
    class Response
    {
        public function __construct(private int $status) {}

        public function getStatusCode(): int
        {
            return $this->status;
        }
    }

    class Builder
    {
        private string $template = '';

        private function __construct(private array $config) {}

        public static function factory(array $config): self
        {
            return new self($config);
        }

        public function chain(string $template): self
        {
            $this->template = $template;
            return $this;
        }

        public function post(array $options): Response
        {
            $path = '/' . preg_replace_callback(
                '/\{(\w+)\}/',
                static fn (array $name): string => rawurlencode($options[$name[1]]),
                $this->template
            );
            $body = json_encode($options['json'], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
            $headers = [];
            $curl = curl_init(rtrim($this->config['base_uri'], '/') . $path);
            curl_setopt_array($curl, [
                CURLOPT_POSTFIELDS => $body,
                CURLOPT_RETURNTRANSFER => true,
                CURLOPT_CAINFO => $this->config['verify'],
                CURLOPT_PROXY => '',
                CURLOPT_HTTPHEADER => [
                    'Accept: application/json, text/plain, application/x-gzip, application/pdf, image/png, image/*;q=0.5',
                    'Content-Type: application/json; charset=utf-8',
                    'User-Agent: wechatpay-php/1.4.12 GuzzleHttp/7 curl/7.88.1 (Linux/6.1.0) PHP/8.2.7',
                    'Authorization: ' . $this->authorization('POST', $path, $body),
                ],
                CURLOPT_HEADERFUNCTION => static function ($handle, string $line) use (&$headers): int {
                    [$name, $value] = array_pad(explode(':', $line, 2), 2, '');
                    $headers[strtolower($name)] = trim($value);
                    return strlen($line);
                },
            ]);
            $received = curl_exec($curl);
            if ($received === false) {
                throw new \RuntimeException(curl_error($curl));
            }
            $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
            if ($status >= 300) {
                throw new \RuntimeException("$status $received");
            }
            $this->verify($headers, $received);
            return new Response($status);
        }

        private function authorization(string $method, string $path, string $body): string
        {
            $nonce = bin2hex(random_bytes(16));
            $timestamp = (string) time();
            openssl_sign("$method\n$path\n$timestamp\n$nonce\n$body\n", $raw, $this->config['privateKey'], 'sha256WithRSAEncryption');
            return sprintf(
                'WECHATPAY2-SHA256-RSA2048 mchid="%s",serial_no="%s",timestamp="%s",nonce_str="%s",signature="%s"',
                $this->config['mchid'], $this->config['serial'], $timestamp, $nonce, base64_encode($raw)
            );
        }

        private function verify(array $headers, string $body): void
        {
            $key = $this->config['certs'][$headers['wechatpay-serial'] ?? ''] ?? null;
            $message = ($headers['wechatpay-timestamp'] ?? '') . "\n" . ($headers['wechatpay-nonce'] ?? '') . "\n$body\n";
            $signature = base64_decode($headers['wechatpay-signature'] ?? '', true);
            $right = $key !== null && abs(time() - (int) $headers['wechatpay-timestamp']) <= 300
                && openssl_verify($message, (string) $signature, $key, 'sha256WithRSAEncryption') === 1;
            if (!$right) {
                throw new \UnexpectedValueException('the answer is not verified');
            }
        }
    }
}
