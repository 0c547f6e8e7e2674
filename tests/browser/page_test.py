#!/usr/bin/env python3
"""The sandbox's page in a real browser.

    page_test.py TOOL [PICTURES]     PICTURES: the folder for the guide's pictures; else none are written
"""
import http.server
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import unittest
import urllib.request

from web_driver import Browser

TOOL = sys.argv[1]
PICTURES = sys.argv[2] if len(sys.argv) > 2 else None
MARKUP = "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script>"


class Sandbox:
    def __init__(self):
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("WECHATPAY_")}
        self.process = subprocess.Popen([TOOL, "sandbox", "--port", "0", "--page-port", "0"], stdout=subprocess.PIPE,
                                        text=True, env=self.environment)
        text = ""
        for line in self.process.stdout:
            text += line
            if line.startswith("One line"):
                break
        self.page = re.search(r"Browser page[^:]*: (\S+)", text)[1]
        self.origin = re.search(r"^base URL +(\S+)", text, re.M)[1]
        self.ca = re.search(r"^certificate authority +(\S+)", text, re.M)[1]
        self.environment.update(re.findall(r"(WECHATPAY_\w+)='([^']*)'", text))
        self.command = text[text.index("curl "):text.index("\nOne line")]
        # Keeps reading the log, so that the sandbox never waits for room in the pipe.
        self.reader = threading.Thread(target=lambda: [None for _ in self.process.stdout])
        self.reader.start()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def commit(self):
        """Commits an order, in one try: the tool's exit status, 0 where it is credited."""
        order = ["--card-id", "478515832665", "--code", "478515832665", "--out-trade-no", "1217752501201407033233368018",
                 "--mchid", "1230000109", "--sub-mchid", "1900000109", "--bonus-value", "30"]
        return subprocess.run([TOOL, "commit", *order], env=self.environment, capture_output=True, check=False).returncode

    def send_in_python_style(self):
        """The signed request that it prints, with blanks in its body: the answer's status."""
        command = self.command.rstrip().replace('","', '", "').replace('":', '": ')
        done = subprocess.run(["bash", "-c", command + " --silent --write-out '\\n%{http_code}'"], stdout=subprocess.PIPE,
                              text=True, check=False)
        return int(done.stdout.rsplit("\n", 1)[1])

    def raw(self, request):
        """Sends bytes as they are, and waits for the end of the answer."""
        port = int(self.origin.rsplit(":", 1)[1])
        context = ssl.create_default_context(cafile=self.ca)
        with socket.create_connection(("127.0.0.1", port)) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                connection.sendall(request)
                while connection.recv(65536):
                    pass


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()

    def setUp(self):
        self.sandbox = Sandbox()
        self.addCleanup(self.sandbox.end)
        self.browser.window(1280, 800)
        self.browser.open(self.sandbox.page)
        self.browser.until("return document.getElementById('live').textContent === 'live'")

    def tearDown(self):
        self.browser.open("about:blank")  # before the sandbox ends, and so that all errors have been logged
        self.assertEqual(self.browser.errors(), [])

    def text(self, selector):
        return self.browser.run("return document.querySelector(arguments[0]).innerText", selector)

    def rows(self):
        return self.browser.run("return [...document.querySelectorAll('#list li:not([hidden])')].map(row => row.innerText)")

    def wait_for_rows(self, count):
        self.browser.until("return document.querySelectorAll('#list li:not([hidden])').length === arguments[0]", count)

    def commit(self):
        self.assertEqual(self.sandbox.commit(), 0)

    def commit_in_python_style(self):
        self.assertEqual(self.sandbox.send_in_python_style(), 401)

    def test_shows_good_and_bad_requests_as_they_come(self):
        self.commit()
        self.wait_for_rows(1)
        self.commit_in_python_style()
        self.wait_for_rows(2)
        newest, oldest = self.rows()
        self.assertIn("401", newest)
        self.assertIn("204", oldest)
        self.assertIn("Committed", oldest)
        self.browser.click("#list li:first-child button")
        self.assertIn("another form than it sent: without blanks", self.text("#explanation"))
        lines = self.browser.run("return [...document.querySelectorAll('.lines td')].map(cell => cell.innerText)")
        self.assertEqual(lines[0], "POST")
        self.assertTrue(lines[1].startswith("/v3/marketing/membercard-open/cards/"))
        self.assertIn('"bonus_value": 30', lines[4])
        detail = self.text("#detail")
        self.assertIn("WECHATPAY2-SHA256-RSA2048", detail)
        self.assertIn("SIGN_ERROR", detail)
        asked = "return performance.getEntriesByType('resource').some(one => one.name.endsWith('/orders'))"
        self.assertFalse(self.browser.run(asked))
        self.assertEqual(self.text("#count-orders"), "1")
        self.browser.click("#tab-orders")
        self.browser.until("return document.getElementById('order-rows').innerText.includes(arguments[0])",
                           "1217752501201407033233368018")

    def test_filters_and_searches(self):
        self.commit()
        self.commit_in_python_style()
        self.wait_for_rows(2)
        self.browser.click('[data-filter="refused"]')
        self.wait_for_rows(1)
        self.assertIn("401", self.rows()[0])
        self.commit()
        self.browser.until("return document.getElementById('count-requests').textContent === '3'")
        self.wait_for_rows(1)
        self.browser.click('[data-filter="all"]')
        self.browser.type("#search", "another form")
        self.wait_for_rows(1)
        self.browser.type("#search", "nothing has this")
        self.wait_for_rows(0)
        self.assertIn("No request matches", self.text("#empty"))

    def test_buttons_switch_faults(self):
        self.browser.click("#tab-faults")
        self.browser.run("document.getElementById('status').value = 403")
        self.browser.click("#next")
        self.browser.until("return document.getElementById('said').textContent.includes('403')")
        self.assertEqual(self.sandbox.commit(), 1)
        self.commit()
        self.browser.click("#from-now")
        self.browser.until("return document.getElementById('active-fault').textContent === '403 100 %'")
        self.assertEqual(self.sandbox.commit(), 1)
        self.assertEqual(self.sandbox.commit(), 1)
        self.browser.click("#off")
        self.browser.until("return document.getElementById('active-fault').hidden")
        self.commit()
        self.browser.click("#tab-requests")
        self.browser.click('[data-filter="faulty"]')
        self.wait_for_rows(3)

    def test_buttons_switch_the_merchants_stage(self):
        self.commit()
        self.browser.click("#tab-faults")
        self.browser.click('[data-stage="certificates"]')
        self.browser.until("return document.querySelector('[data-stage=certificates]').ariaPressed === 'true'")
        self.assertEqual(self.sandbox.commit(), 3)  # signed with a certificate that the client does not have
        self.browser.click('[data-stage="public-key"]')
        self.browser.until("return document.querySelector('[data-stage=public-key]').ariaPressed === 'true'")
        self.commit()

    def test_keeps_its_buttons_while_orders_come(self):
        self.browser.click("#tab-faults")
        self.browser.until("const one = document.querySelector('[data-stage]'); if (one) one.kept = true; return one !== null")
        self.commit()
        self.browser.until("return document.getElementById('count-orders').textContent === '1'")
        self.assertTrue(self.browser.run("return document.querySelector('[data-stage]').kept === true"))

    def test_shows_what_another_page_has_switched(self):
        self.browser.click("#tab-faults")
        for path, value in (("stage", b"switching"), ("faults", b'{"fault":"503","rate":0.5}')):
            request = urllib.request.Request(self.sandbox.page + path, value, {"X-Sandbox-Page": "1"})
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).close()
        self.browser.until("return document.querySelector('[data-stage=switching]').ariaPressed === 'true'")
        self.browser.until("return document.getElementById('active-fault').textContent === '503 50 %'")

    def test_offers_the_faults_that_there_are(self):
        help_text = subprocess.run([TOOL, "sandbox", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        known = set(re.findall(r"^  ([a-z]+(?:-[a-z]+)*)(?::[A-Z]+)? ", help_text[help_text.index("ok "):], re.M))
        offered = set(self.browser.run("return Object.keys(FAULTS)"))
        self.assertEqual(offered - {"http-status"}, known - {"ok"})
        for name in sorted(offered - {"http-status"}):
            taken = self.browser.run_async(
                "const [name, done] = arguments; post('faults', {fault: name, rate: 0}).then(done)", name)
            self.assertTrue(taken, name)

    def test_runs_nothing_that_a_request_holds(self):
        body = '{"out_trade_no":"%s","mchid":"%s"}' % (MARKUP.replace('"', '\\"'), MARKUP.replace('"', "'"))
        for authorization in (MARKUP, f'WECHATPAY2-SHA256-RSA2048 mchid="{MARKUP}",nonce_str="<b>1</b>"'):
            self.sandbox.raw((f"POST /v3/{MARKUP.replace(' ', '/')}?{MARKUP.replace(' ', '/')} HTTP/1.1\r\nHost: {MARKUP}\r\n"
                              f"Authorization: {authorization}\r\n{MARKUP.replace(' ', '').replace(':', '')}: {MARKUP}\r\n"
                              f"User-Agent: {MARKUP}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
                              ).encode())
        path = "/v3/marketing/membercard-open/cards/<svg/onload=window.ran=1>/codes/1/bonus/commit"
        self.sandbox.raw((f"POST {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nUser-Agent: x\r\n"
                          f"Content-Type: application/json\r\nAuthorization: {MARKUP}\r\nContent-Length: {len(body)}\r\n"
                          f"Connection: close\r\n\r\n{body}").encode())
        self.wait_for_rows(3)
        for number in (1, 2, 3):
            self.browser.click(f'#list [data-number="{number}"]')
            self.assertIn("<img src=x onerror=", self.text("#detail"))
            self.assertIn("<svg" if number == 3 else "<script>", self.text("#detail"))
            self.assertEqual(self.browser.run("return document.querySelectorAll('main img, main script, main svg').length"), 0)
        self.assertIsNone(self.browser.run("return window.ran ?? null"))

    def test_a_page_of_another_origin_switches_nothing(self):
        class Evil(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>evil</title>")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        attack = """
            const [page, done] = arguments;
            const body = JSON.stringify({fault: '503'});
            const tries = [{mode: 'no-cors'}, {}, {headers: {'X-Sandbox-Page': '1'}},
                           {mode: 'no-cors', headers: {'X-Sandbox-Page': '1'}}];
            Promise.allSettled(tries.map(one => fetch(page + 'faults', {method: 'POST', body, ...one})))
              .then(() => Promise.allSettled([fetch(page + 'exchanges'), fetch(page + 'orders')]))
              .then(read => done(read.map(one => one.status)));"""
        self.browser.open(f"http://127.0.0.1:{server.server_address[1]}/")
        self.assertEqual(self.browser.run_async(attack, self.sandbox.page), ["rejected", "rejected"])
        # DNS rebinding: the attacker's host name resolves to this machine, so the browser treats the page as the
        # attacker's.
        port = self.sandbox.page.rsplit(":", 1)[1].rstrip("/")
        self.browser.open(f"http://rebinding.localhost:{port}/")
        self.assertNotIn("Requests", self.text("body"))
        self.browser.run_async(attack, f"http://rebinding.localhost:{port}/")
        self.browser.errors()  # the browser logs the refused requests
        self.commit()
        self.browser.open(self.sandbox.page)
        self.wait_for_rows(1)
        self.assertTrue(self.browser.run("return document.getElementById('active-fault').hidden"))

    def test_is_usable_by_keyboard(self):
        self.commit()
        self.commit_in_python_style()
        self.wait_for_rows(2)
        down, enter, left, right, escape = "\ue015", "\ue007", "\ue012", "\ue014", "\ue00c"
        self.browser.press("/")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "search")
        self.browser.run("document.querySelector('#list button').focus()")
        self.browser.press(down)
        self.browser.until("return document.querySelector('#detail h2').innerText.startsWith('204')")
        self.browser.press(enter, escape)
        self.browser.run("document.getElementById('tab-requests').focus()")
        self.browser.press(right, right)
        self.assertTrue(self.browser.run("return !document.getElementById('faults').hidden"))
        self.browser.press(left)
        self.assertTrue(self.browser.run("return !document.getElementById('orders').hidden"))

    def test_speaks_chinese_and_fits_a_narrow_window(self):
        self.browser.click("#language")
        self.assertEqual(self.browser.run("return document.documentElement.lang"), "zh-CN")
        missing = self.browser.run("return Object.keys(WORDS.en).filter(word => !(word in WORDS.zh))")
        self.assertEqual(missing, [])
        self.commit_in_python_style()
        self.wait_for_rows(1)
        self.browser.window(360, 740)
        for tab in ("requests", "orders", "faults", "requests"):
            self.browser.click(f"#tab-{tab}")
            self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), 360, tab)
        self.browser.click("#list button")
        self.assertIn("全部请求", self.text("#back"))
        self.assertRegex(self.text("#detail .when"), r"^\d{4}/\d{1,2}/\d{1,2} \d{2}:\d{2}:\d{2} · ")
        self.assertLessEqual(self.browser.run("return document.getElementById('detail').scrollWidth"), 360)
        self.browser.click("#back")
        self.wait_for_rows(1)

    def test_explains_in_chinese_whatever_it_explains_in_english(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "testing")
        literals = []
        for name in ("recovered_signature", "body_variants", "signed_message", "signature_explanation"):
            with open(os.path.join(folder, name + ".cpp"), encoding="utf-8") as source:
                text = re.sub(r"'(\\.|[^'\\\n])'", "0", source.read())  # character literals, some of which are quotes
            for joined in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', text):
                literals.append("".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined)).replace("\\\\", "\\"))
        begins = ("The client", "The signature", "The request", "Key and scheme are right, but another", ": sign ", ": end ", " Sign ", "with ",
                  "without ", " Serialize", " It is a key", " Take ")
        explanations = [text for text in literals if text.startswith(begins)]
        self.assertGreater(len(explanations), 90)
        for english in explanations:
            chinese = self.browser.run("return inChinese(arguments[0])", english)
            self.assertNotRegex(chinese, r"[a-z]{2,} [a-z]{2,} ", english)

    def test_says_that_the_sandbox_has_ended(self):
        self.sandbox.process.send_signal(signal.SIGTERM)
        self.sandbox.process.wait()
        self.browser.until("return document.getElementById('live').className === 'lost'")
        self.browser.click("#tab-faults")
        self.browser.click("#off")
        self.browser.until("return document.getElementById('said').textContent === 'The sandbox did not take it.'")
        self.browser.open("about:blank")  # this page sends no more requests
        logged = self.browser.errors()  # the browser logs the failed connections
        self.assertFalse([one for one in logged if "Uncaught" in str(one)])

    def test_pictures_for_the_guide(self):
        self.commit()
        self.commit_in_python_style()
        self.commit()
        self.wait_for_rows(3)
        self.browser.click('#list [data-number="2"]')
        if PICTURES is None:
            return
        self.browser.window(1120, 640)
        self.browser.picture(os.path.join(PICTURES, "page.png"))
        self.browser.window(1120, 640, dark=True)
        self.browser.click("#language")
        self.browser.picture(os.path.join(PICTURES, "page.zh-CN.png"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=2)
