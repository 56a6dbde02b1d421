#!/usr/bin/env python3
"""console.py --build-dir DIR: the console in headless Chromium and /metrics in Prometheus, on a clinic's gateway with a real hospital.

Every page at desktop and phone width, light and dark: axe-core finds nothing, nothing is wider than the screen, nothing comes from
elsewhere, no script complains. By keyboard, in three languages, live, and a conflict and a refused item dealt with. Screenshots go to
DIR/console-screenshots. Prints a line per step; exits 1 with the reason on the first that is not as it must be.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from rig.console_scene import METRICS_TOKEN, PASSWORD, PEOPLE, Scene
from rig.metrics_reader import Metrics, scrape
from rig.wait import wait_until

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
PAGES = {
    "overview": "#/overview",
    "studies": "#/studies",
    "dead-letter": "#/queue",
    "conflicts": "#/reviews",
    "conflict": "#/reviews/1",
    "worklist": "#/worklist",
    "devices": "#/devices",
    "audit": "#/audit",
    "keys": "#/keys",
}
ASSETS = Path(__file__).resolve().parents[2] / "daemon" / "console"


def must(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


class Visitor:
    """A browser window, and all it complained about."""

    last = None

    def __init__(self, browser, url, **view):
        Visitor.last = self
        self._context = browser.new_context(ignore_https_errors=True, locale=view.pop("locale", "en-GB"), **view)
        self._url, self.complaints = url, []
        self.page = self._context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look_at)

    def _look_at(self, request):
        if not request.url.startswith(self._url.rsplit("/console/", 1)[0]):
            self.complaints.append(f"asked elsewhere: {request.url}")

    def sign_in(self, name):
        self.page.goto(self._url)
        self.page.fill("#name", name)
        self.page.fill("#password", PASSWORD)
        self.page.press("#password", "Enter")
        self.page.wait_for_selector("nav")

    def show(self, place):
        self.page.goto(self._url + place)
        self.page.wait_for_selector("nav a[aria-current]")
        self.page.wait_for_selector(f"nav a[aria-current][href='{'/'.join(place.split('/')[:2])}']")
        self.page.wait_for_selector("main h1")

    def until(self, expression):
        """Waits for a JavaScript expression; the page's own policy forbids Playwright to look for it by itself."""
        wait_until(lambda: self.page.evaluate(expression), expression, 20)

    def violations(self):
        found = Axe().run(self.page, options=AXE).response["violations"]
        return [f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}" for one in found for node in one["nodes"]]

    def is_wider_than_screen(self):
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    def close(self):
        self._context.close()


def check_words():
    tables = {name: json.loads((ASSETS / f"{name}.json").read_text()) for name in ("en", "es", "fr")}
    must(all(table.keys() == tables["en"].keys() for table in tables.values()), "the languages have the same words")


def check_sign_in(browser, scene, shots):
    visitor = Visitor(browser, scene.console_url, **VIEWS["desktop"])
    visitor.page.goto(scene.console_url)
    visitor.page.wait_for_selector("#name")
    must(not (found := visitor.violations()), f"sign-in: axe-core finds nothing {found}")
    visitor.page.screenshot(path=shots / "sign-in-desktop.png")
    visitor.page.focus("#name")
    for text in ("olga", "not the password"):
        visitor.page.keyboard.type(text)
        visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_selector("[role=alert]:not([hidden])")
    must("wrong" in visitor.page.inner_text("[role=alert]"), "a wrong password is refused, by keyboard")
    visitor.close()


def check_calm(browser, scene, shots):
    visitor = Visitor(browser, scene.console_url, **VIEWS["desktop"])
    visitor.sign_in("vera")
    visitor.page.wait_for_selector(".headline.good")
    must("Everything has arrived" in visitor.page.inner_text("h1"), "all is delivered, and one sentence says so")
    visitor.page.screenshot(path=shots / "overview-calm-desktop.png")
    must(visitor.page.locator("nav a", has_text="Audit").count() == 0, "a viewer is not offered the audit trail")
    scene.pacs.stop()
    scene.send_study(1, "CT abdomen", 2, seed=9)
    visitor.page.wait_for_selector(".headline.attention")
    must("No link" in visitor.page.inner_text("h1"), "a link that breaks shows without a reload")
    visitor.page.screenshot(path=shots / "overview-link-down-desktop.png")
    must(not visitor.complaints, f"no script and no policy complains {visitor.complaints}")
    visitor.close()


def check_pages(browser, scene, shots):
    for view, options in VIEWS.items():
        visitor = Visitor(browser, scene.console_url, **options)
        visitor.sign_in("ada")
        for name, place in PAGES.items():
            visitor.show(place)
            must(not (found := visitor.violations()), f"{name} ({view}): axe-core finds nothing {found}")
            must(not visitor.is_wider_than_screen(), f"{name} ({view}): no wider than the screen")
            visitor.page.screenshot(path=shots / f"{name}-{view}.png", full_page=True)
        must(not visitor.complaints, f"{view}: no script and no policy complains {visitor.complaints}")
        visitor.close()


def check_pictures(browser, scene, shots):
    scene.send_report(0, "Report without images")
    visitor = Visitor(browser, scene.console_url, **VIEWS["desktop"])
    asked = []
    visitor.page.on("request", lambda request: request.url.endswith("/thumbnail") and asked.append(request.url))
    visitor.sign_in("vera")
    visitor.show("#/studies")
    visitor.page.wait_for_selector("p.thumbnail")
    must(visitor.page.inner_text("p.thumbnail") == "No picture", "a study without images says so where its picture would be")
    studies = visitor.page.locator("main li").count()
    for shown in visitor.page.locator("main li").all():
        shown.scroll_into_view_if_needed()
    loaded = "[...document.querySelectorAll('img.thumbnail')].filter((one) => one.complete && one.naturalWidth > 1).length"
    visitor.until(f"{loaded} === {studies - 1}")
    must(len(asked) == studies, f"each other study shows one of its images, asked for once {studies}")
    visitor.page.screenshot(path=shots / "studies-pictures-desktop.png", full_page=True)
    for language in ("es", "fr"):
        words = json.loads((ASSETS / f"{language}.json").read_text())
        visitor.page.select_option("header select", language)
        visitor.until(f"document.querySelector('img.thumbnail').alt === {json.dumps(words['thumbnail'])}")
        must(visitor.page.inner_text("p.thumbnail") == words["no_thumbnail"], f"{language}: pictures, and that there is none, are named")
    must(len(asked) == studies, "a page that is drawn again asks for none twice")
    visitor.page.reload()
    visitor.page.wait_for_selector("img.thumbnail")
    visitor.until(f"{loaded} > 0")

    def seen():
        trail = [json.loads(line) for line in scene.clinic.command("audit", "export", "--actor", "user:vera").splitlines()]
        looks = [entity["what"].get("reference", "") for event in trail for entity in event.get("entity", [])]
        return [what for what in looks if what.startswith("ImagingStudy/")]

    wait_until(lambda: len(set(seen())) == studies - 1, "each look at a study is in the audit trail", 20)
    must(len(set(seen())) == len(seen()), "once each, however often the page is loaded")
    must(not visitor.complaints, f"no script and no policy complains {visitor.complaints}")
    visitor.close()


def check_keyboard(browser, scene):
    visitor = Visitor(browser, scene.console_url, **VIEWS["desktop"])
    visitor.sign_in("olga")
    visitor.page.reload()
    visitor.page.wait_for_selector("nav a[aria-current]")
    visitor.page.keyboard.press("Tab")
    must("Skip" in visitor.page.evaluate("document.activeElement.textContent"), "the first stop skips to the content")
    visitor.page.focus("[data-key=nav-studies]")
    visitor.page.keyboard.press("Enter")
    visitor.until("document.activeElement.tagName === 'H1' && document.activeElement.textContent === 'Studies'")
    must(PEOPLE[0].id in visitor.page.inner_text("main"), "a page opened by keyboard has the focus, and shows its studies")
    visitor.close()


def check_languages(browser, scene, shots):
    for locale, sentence in (("es-ES", "Alguien tiene que decidir algo."), ("fr-FR", "Quelqu’un doit prendre une décision.")):
        visitor = Visitor(browser, scene.console_url, locale=locale, **VIEWS["phone"])
        visitor.sign_in("vera")
        visitor.page.wait_for_selector(".headline")
        must(visitor.page.inner_text("h1") == sentence, f"{locale}: the browser's language is spoken")
        must(not visitor.is_wider_than_screen(), f"{locale}: no wider than a phone")
        visitor.page.screenshot(path=shots / f"overview-phone-{locale[:2]}.png", full_page=True)
        visitor.page.select_option("header select", "en")
        visitor.until("document.querySelector('h1').textContent.includes('decide')")
        must(visitor.page.evaluate("document.documentElement.lang") == "en", f"{locale}: and can be switched")
        visitor.close()


def check_work(browser, scene):
    visitor = Visitor(browser, scene.console_url, **VIEWS["desktop"])
    visitor.sign_in("olga")
    visitor.show("#/queue")
    before = visitor.page.locator("[data-key^=retry-]").count()
    must(before >= 2, "refused items are listed with a way to send them again")
    visitor.page.locator("[data-key^=retry-]").first.click()
    visitor.until(f"document.querySelectorAll('[data-key^=retry-]').length < {before}")
    must('"user:olga"' in scene.clinic.command("audit", "export"), "sending again is in the audit trail under her name")
    visitor.show("#/reviews/1")
    must("2001-11-15" in visitor.page.inner_text("main") and "2001-11-06" in visitor.page.inner_text("main"), "both sides are shown")
    for group in visitor.page.locator("fieldset.sides").all():
        group.locator("input[value=ours]").check()
    visitor.page.click("button[type=submit]")
    visitor.until("location.hash === '#/reviews'")
    review = json.loads(scene.clinic.command("reviews", "show", 1))
    must((review["state"], review["decided_by"]) == ("decided", "user:olga"), "a conflict is decided by her")
    check_second_thoughts(visitor, scene)
    must(not visitor.complaints, f"no script and no policy complains {visitor.complaints}")
    visitor.close()


def check_letters(browser, scene):
    """What waits for a patient: whom it may be about is said, and a person decides."""
    visitor = Visitor(browser, scene.console_url, **VIEWS["phone"])
    visitor.sign_in("olga")
    visitor.show("#/queue")
    visitor.page.click("[data-key=letters-all]")
    visitor.until("document.querySelector('[role=status]').textContent.startsWith('2 messages worked on again, 0 stored')")
    visitor.page.locator("[data-key^=open-]").first.click()
    visitor.page.wait_for_selector("[data-key^=choose-]")
    must("same name, same date of birth" in visitor.page.inner_text("main"), "a patient is suggested, and why")
    must(not (found := visitor.violations()), f"an open letter: axe-core finds nothing {found}")
    must(not visitor.is_wider_than_screen(), "an open letter is no wider than a phone")
    must(visitor.page.locator("input[id^=patient-]").input_value() == "", "nobody is chosen by the gateway")
    visitor.page.click("[data-key^=choose-]")
    must(visitor.page.locator("input[id^=patient-]").input_value() == "p0", "whom a person chooses is written down")
    visitor.page.click("[data-key^=letter-]")
    visitor.until("document.querySelectorAll('[data-key^=open-]').length === 1")
    must(not visitor.complaints, f"no script and no policy complains {visitor.complaints}")
    visitor.close()


def check_second_thoughts(visitor, scene):
    """What came since is shown before it is decided over, and values may be written by hand."""
    wait_until(lambda: scene.hospital("Patient/p2")["birthDate"] == "2001-11-06", "her decision is at the hospital", 60)
    theirs = scene.hospital("Patient/p2")
    theirs["birthDate"] = "2001-11-20"
    scene.hospital("Patient/p2", theirs)
    wait_until(lambda: scene.app("Patient/p2")["birthDate"] == "2001-11-20", "what the hospital says next is here", 60)
    visitor.show("#/reviews/1")
    must("2001-11-20" in visitor.page.inner_text("main"), "what is held now stands beside both sides")
    visitor.page.locator("fieldset.sides textarea[name$=-birthDate]").fill("2001-11-21")
    visitor.page.click("button[type=submit]")
    visitor.until("location.hash === '#/reviews'")
    must(scene.app("Patient/p2")["birthDate"] == "2001-11-21", "and a date she writes is taken")


def check_metrics(scene, folder):
    port, ca = scene.console_port, scene.pki.ca
    metrics = Metrics(port, ca)
    samples = metrics.samples()
    must(samples[("clinic_gateway_state", (("state", "ready"),))] == 1, "metrics are OpenMetrics, and the gateway is ready")
    must(samples[("clinic_gateway_queue_parked", (("uplink", "pacs"),))] == 2, "what was refused is counted")
    must(samples[("clinic_gateway_uplink_up", (("kind", "stow"), ("uplink", "pacs")))] == 0, "a link that is down is 0")
    must(samples[("clinic_gateway_messages_held", ())] == 2, "messages that wait for a person are counted")
    must(("clinic_gateway_certificate_end_timestamp_seconds", (("key", "console.certificate_file"),)) in samples, "certificates have an end")
    must(not (complaints := metrics.promtool()), f"promtool has nothing against them {complaints}")
    text = (metrics.text()[0] + metrics.text("text/plain")[0]).upper()
    planted = [part.upper() for person in PEOPLE for part in (person.family, person.given, person.id, person.birth_date)]
    must(not [part for part in planted if part in text], "no planted name, id or birth date is in them")
    alerts = scrape(folder / "prometheus", port, ca, METRICS_TOKEN, "GatewayItemsRefused")
    must("GatewayNotReached" not in alerts and "GatewayNotOpen" not in alerts, f"a real Prometheus scrapes them and raises what it should: {alerts}")


def check_all(browser, scene, shots, folder):
    check_sign_in(browser, scene, shots)
    check_calm(browser, scene, shots)
    scene.make_trouble()
    check_metrics(scene, folder)
    check_pictures(browser, scene, shots)
    check_pages(browser, scene, shots)
    check_keyboard(browser, scene)
    check_languages(browser, scene, shots)
    check_work(browser, scene)
    check_letters(browser, scene)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=Path, required=True)
    build = parser.parse_args().build_dir.resolve()
    shots = build / "console-screenshots"
    shutil.rmtree(shots, ignore_errors=True)
    shots.mkdir()
    check_words()
    with tempfile.TemporaryDirectory(prefix="gateway-console-") as folder, sync_playwright() as playwright:
        with Scene(build, Path(folder)) as scene:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            try:
                check_all(browser, scene, shots, Path(folder))
            except BaseException:
                if not Visitor.last.page.is_closed():
                    Visitor.last.page.screenshot(path=shots / "failure.png")
                print(f"the last page complained: {Visitor.last.complaints}")
                raise
            browser.close()
    print("console: all as it must be")


if __name__ == "__main__":
    sys.exit(main())
