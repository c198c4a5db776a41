"""The page in a real browser, from a file: what its script does, and that it needs no network and makes no error."""

import re
import shutil
from pathlib import Path

import pytest

from benchmark.report import write_report
from benchmark.report.page import write_pages

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: Debian's package is called chromium")

ROOT = Path(__file__).resolve().parents[2]
A4 = 1032
"""Width in pixels of A4 across, less the margins of the page: (297 - 24) mm at 96 pixels an inch."""

HEADLINE = "table.headline"
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
TRAINING = "dataset,bias,method,seed,epoch,phase,quantity,value"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a page; in the end no page has made an error, asked the network or shown an alert."""
    wrong, contexts = [], []

    def open_page(path, fragment="", size=(1400, 900), **options):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"alert: {dialog.message}"))
        page.on(
            "request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(f"request: {r.url}")
        )
        page.goto(path.as_uri() + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def made(pristine, tmp_path_factory):
    """The report of a small suite with costs and training logs."""
    folder = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("browser") / "results"))
    (folder / "costs.csv").write_text(
        "method,step_ratio,memory_ratio,inference_ratio,params,train_seconds,needs\n"
        "erm,1,1,1,1000000,10,nothing\nisnet,2.5,2,1.01,1000000,25,training masks\n"
    )
    rows = [f"mnist5k,corner,isnet,{s},{e},0,val_loss,{1 / (1 + s + e)}" for s in range(3) for e in range(4)]
    (folder / "training.csv").write_text("\n".join([TRAINING, *rows]) + "\n")
    write_report(folder)
    return folder / "report.html"


def shown(page, query):
    """The texts of what can be seen."""
    return [text.strip() for text in page.locator(query).locator("visible=true").all_text_contents()]


def methods(page, table=HEADLINE):
    return shown(page, f"{table} tbody tr[data-method] th")


def test_a_click_on_a_head_sorts_within_what_methods_see(visit, made):
    page = visit(made)
    head = page.locator(f"{HEADLINE} thead th", has_text="deceiving").first
    assert methods(page) == ["erm", "isnet", "isnet_path"]
    orders = []
    for _ in range(3):
        head.get_by_role("button").click()
        orders.append((methods(page), head.get_attribute("aria-sort"), page.locator("#said").inner_text()))
    assert [order for order, _, _ in orders] == [
        ["erm", "isnet", "isnet_path"],
        ["erm", "isnet_path", "isnet"],
        ["erm", "isnet", "isnet_path"],
    ]
    assert [sort for _, sort, _ in orders] == ["ascending", "descending", None]
    assert "sorted by Accuracy, deceiving, descending, within what methods see." in orders[1][2]
    assert orders[2][2].endswith("in the order of the report.")


def test_numbers_sort_as_numbers_and_what_is_not_defined_comes_last(visit, made, rows):
    page = visit(made)
    table = "table:has(#caption-mnist5k-corner-seeds)"
    scores = {
        (r["method"], f"seed {r['seed']}"): float(r["value"])
        for r in rows("scores.csv")
        if r["metric"] == "heatmap_loss"
    }
    for reverse in (False, True):
        page.locator(f"{table} thead th").last.get_by_role("button").click()
        names = page.locator(f"{table} tbody tr").evaluate_all(
            "rows => rows.map(r => [...r.children].slice(0, 2).map(c => c.textContent))"
        )
        assert [tuple(name) for name in names[:6]] == sorted(scores, key=scores.get, reverse=reverse)
        assert {name for name, _ in names[6:]} == {"erm"} and len(names) == 9
    seen = page.locator(f"{table} tbody th:first-child:not(.again)").all_text_contents()
    assert seen == ["isnet_path", "isnet", "erm"]  # each name once, though it has three rows


def test_the_search_field_filters_tables_figure_and_heatmaps_and_the_address_keeps_it(visit, made):
    page = visit(made, "#costs")
    height = page.locator("svg.plot").first.bounding_box()["height"]
    page.get_by_role("searchbox").fill("masks")
    assert page.locator("#shown").inner_text() == "2 of 3 methods shown."
    assert methods(page) == ["isnet", "isnet_path"] and len(shown(page, "tr.access")) == 1
    page.get_by_role("searchbox").fill("path")
    assert page.locator("#shown").inner_text() == "1 of 3 methods shown."
    assert page.url.endswith("#costs&find=path")
    again = visit(made, page.url[page.url.index("#") :])
    for one in (page, again):
        assert methods(one) == ["isnet_path"]
        assert set(shown(one, "tr[data-method] th:first-child")) == {"isnet_path"}
        assert shown(one, "table.gallery thead th[data-method]") == ["isnet_path", "isnet_path†"]
        assert one.locator("table.gallery td").locator("visible=true").count() == 2 * 8
        assert shown(one, ".plot .method") == ["isnet_path"]
        box = one.locator("svg.plot").first.bounding_box()
        assert box["height"] == pytest.approx(height / 2, rel=0.25) and box["height"] < 0.7 * height
        assert len(shown(one, ".findings li")) == 1
    page.get_by_role("searchbox").fill("nobody")
    assert page.locator("#shown").inner_text() == "0 of 3 methods shown. None matches the filter."
    page.get_by_role("searchbox").fill("")
    assert page.url.endswith("#costs") and len(methods(page)) == 3


def test_check_boxes_choose_methods_and_links_inside_the_page_keep_the_choice(visit, made):
    page = visit(made)
    page.get_by_text("Choose methods").click()
    page.get_by_role("button", name="None").click()
    assert page.locator("#shown").inner_text().startswith("0 of 3")
    page.get_by_role("checkbox", name="erm").check()
    page.get_by_role("checkbox", name="isnet", exact=True).check()
    page.keyboard.press("Escape")
    assert methods(page) == ["erm", "isnet"] and not page.locator(".picker").get_attribute("open")
    page.get_by_role("link", name="Provenance").click()
    page.wait_for_url(re.compile("#provenance&methods=erm,isnet$"))
    assert methods(visit(made, page.url[page.url.index("#") :])) == ["erm", "isnet"]
    assert len(methods(visit(made, "#methods=erm,nobody"))) == 1


def test_a_number_opens_what_lies_behind_it(visit, made, rows):
    page = visit(made)
    page.locator(f"{HEADLINE} tr[data-method=isnet] button").nth(2).click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("heading", level=2).inner_text() == "isnet: Accuracy, deceiving"
    assert [row.split("\t")[:2] for row in dialog.locator("tbody tr").all_inner_texts()] == [
        ["0", "0.210"],
        ["1", "0.880"],
        ["2", "0.020"],
    ]
    facts = dict(zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True))
    row = next(
        r for r in rows("summary.csv") if (r["method"], r["variant"], r["metric"]) == ("isnet", "deceiving", "accuracy")
    )
    assert facts["Mean of the seeds"].startswith(f"{float(row['value']):.3f} [")
    assert (
        facts["Difference to erm"].startswith(f"{float(row['diff']):.3f} [")
        and facts["Data, SHA-256"] == "5e1f09ab77c2"
    )
    assert "Sign" not in facts
    plots = dialog.locator("svg.curve")
    assert [plots.nth(i).get_attribute("aria-label") for i in range(plots.count())] == [
        "loss, seed 0, epochs 0 to 3: val from 1 to 0.25",
        "loss, seed 1, epochs 0 to 3: val from 0.5 to 0.2",
        "loss, seed 2, epochs 0 to 3: val from 0.3333 to 0.1667",
    ]
    tiles = dialog.locator(".strip svg.tile")
    assert tiles.count() == 2 * 8 and tiles.first.get_attribute("aria-label").startswith("isnet, integrated gradients")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.locator(f"{HEADLINE} tr[data-method=erm] button").first.click()
    assert "No curve: training.csv" in dialog.inner_text()
    page.keyboard.press("Escape")
    page.locator(f"{HEADLINE} tr[data-method=isnet] button").nth(5).click()
    assert "† The method is trained through this explainer" in dialog.inner_text()


def test_a_heatmap_opens_larger_beside_its_image(visit, made):
    page = visit(made)
    tile = page.locator("table.gallery tbody button").first
    small = tile.bounding_box()["width"]
    tile.click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("heading").inner_text() == "erm, integrated gradients"
    pictures = dialog.locator("svg.tile")
    assert pictures.count() == 2 and pictures.nth(1).bounding_box()["width"] > 3 * small
    assert pictures.nth(0).get_attribute("aria-label").startswith("test image digit_00000")
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_everything_is_reached_by_the_keyboard_and_focus_is_seen(visit, made):
    page = visit(made)

    def focus():
        return page.evaluate(
            "[document.activeElement.innerText, getComputedStyle(document.activeElement).outlineStyle]"
        )

    page.keyboard.press("Tab")
    assert focus()[0] == "Skip to the report"
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        words, outline = focus()
        assert outline not in ("none", "") or page.evaluate("document.activeElement.matches('input')")
        seen.append(words)
        if words == "deceiving":
            break
    assert "Choose methods" in seen and "Dark colours" in seen and seen[-1] == "deceiving"
    page.keyboard.press("Space")
    assert "ascending" in page.locator("#said").inner_text()
    page.keyboard.press("Enter")
    assert "descending" in page.locator("#said").inner_text()
    while not page.evaluate("document.activeElement.matches('td button')"):
        page.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").get_by_role("heading", level=2).inner_text() == "isnet_path: Accuracy, deceiving"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('tr').dataset.method") == "isnet_path"
    page.keyboard.press("Tab")  # one stop a table: the next is outside
    assert page.evaluate("document.activeElement.closest('table.headline')") is None


def test_every_control_has_a_name(visit, made):
    page = visit(made)
    page.get_by_text("Choose methods").click()
    controls = page.locator("button, input, summary, a").locator("visible=true")
    names = controls.evaluate_all(
        "all => all.map(one => (one.ariaLabel || one.innerText || one.labels?.[0]?.innerText || '').trim())"
    )
    assert len(names) > 100 and all(names)
    assert any("isnet, Accuracy, iid: details" in name for name in names)


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_follow_the_system_until_the_reader_chooses(visit, made, system):
    page = visit(made, color_scheme=system)

    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = "rgb(255, 255, 255)", "rgb(20, 24, 28)"
    mine, other = (light, dark) if system == "light" else (dark, light)
    assert ground() == mine
    page.get_by_role("button", name="colours").click()
    assert ground() == other
    assert page.get_by_role("button", name="colours").inner_text() == f"{system.capitalize()} colours"
    page.reload()
    assert ground() == other
    page.emulate_media(media="print")
    assert ground() == light


def test_print_shows_all_figures_and_closes_them_again(visit, default):
    page = visit(default)
    count = "document.querySelectorAll('details.figures[open]').length"
    told = page.evaluate(
        f"['beforeprint', 'afterprint'].map(name => {{ dispatchEvent(new Event(name)); return {count}; }})"
    )
    assert told == [page.locator("details.figures").count(), 0] and told[0] > 0
    page.emulate_media(media="print")  # a box of its own in a head keeps it from being repeated on the next page
    assert set(page.locator(".sort").evaluate_all("all => all.map(b => getComputedStyle(b).display)")) == {"contents"}


def test_the_headline_fits_a_window_of_1280_pixels(visit, default):
    page = visit(default, size=(1280, 900))
    inner, outer = page.locator(HEADLINE).first.evaluate("t => [t.scrollWidth, t.closest('.scroll').clientWidth]")
    assert inner <= outer


def test_signs_of_sorting_have_contrast(visit, made):
    ink = visit(made, color_scheme="light").locator(".sort").first.evaluate("b => getComputedStyle(b, '::after').color")
    linear = [((int(part) / 255 + 0.055) / 1.055) ** 2.4 for part in re.findall(r"\d+", ink)[:3]]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 3  # on white


@pytest.mark.parametrize("which", ["made", "default"])
def test_in_print_no_table_is_cut_and_no_control_is_left(visit, made, default, which):
    page = visit(made if which == "made" else default, size=(A4, 700))
    page.emulate_media(media="print")
    tables = page.locator("table").evaluate_all(
        "all => all.map(t => [t.caption?.innerText, t.getBoundingClientRect().right])"
    )
    assert len(tables) > 10 and [name for name, right in tables if right > A4 + 1] == []
    assert not page.locator("#controls").is_visible() and not page.locator("nav").is_visible()
    if which == "made":  # the other takes seconds
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_on_a_telephone_nothing_but_tables_is_wider_than_the_screen(visit, made):
    page = visit(made, size=(400, 800))
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.locator(f"{HEADLINE} td button").nth(9).click()
    assert page.get_by_role("dialog").bounding_box()["width"] <= 400


def test_without_javascript_the_page_is_complete(visit, made):
    bare, page = visit(made, java_script_enabled=False), visit(made)
    for query in ("table", "tbody tr", "td data", "svg.tile", "figure", ".note"):
        count = bare.locator(query).count()
        assert count and count == page.locator(query).count()
        assert (
            bare.locator(query).locator("visible=true").count() == page.locator(query).locator("visible=true").count()
        )
    assert bare.locator("button, input").locator("visible=true").count() == 0


def test_hostile_words_stay_words_in_the_browser(visit, results, edit_suite):
    edit_suite(lambda suite: suite.update(protocol=[HOSTILE], packages={HOSTILE: HOSTILE}))
    edit_suite(lambda suite: [cell.update(source=HOSTILE, needs=HOSTILE, title=HOSTILE) for cell in suite["cells"]])
    (results / "training.csv").write_text(f'{TRAINING}\nmnist5k,corner,erm,0,0,0,"{HOSTILE}",1\n')
    write_report(results)
    page = visit(results / "report.html", "#methods=erm&find=" + "%3Cimg")
    page.locator(f"{HEADLINE} td button").locator("visible=true").last.click()
    assert page.get_by_role("dialog").get_by_text("<script>alert(2)</script>").count() >= 2
    assert page.locator("img[onerror]").count() == 0


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The page of the suite default, from the results in this repository."""
    out = tmp_path_factory.mktemp("default")
    write_report(ROOT / "results/default", out)
    return out / "report.html"


def test_the_page_of_the_default_suite_is_small_and_works(visit, default):
    assert default.stat().st_size < 5_000_000
    page = visit(default)
    before = methods(page)
    page.locator(f"{HEADLINE} thead th", has_text="deceiving").first.get_by_role("button").click()
    assert sorted(methods(page)) == sorted(before) and "isnet_path" in before
    page.locator(f"{HEADLINE} tr[data-method=isnet_path] button").first.click()
    assert page.get_by_role("dialog").locator("svg.tile").count() == 20
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("isnet")
    assert set(methods(page)) == {"isnet", "isnet_path"}
    for figures in page.locator("details.figures summary").all():
        figures.click()
    assert page.locator("figure img").count() > 0
    for picture in page.locator("figure img").all():
        picture.scroll_into_view_if_needed()  # they load when they are near
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_a_page_of_nothing_but_skipped_tasks_works(visit, results, edit_suite, tmp_path):
    reason = {"dataset": "d", "bias": "b", "method": "m", "skipped": {"reason": "no data", "do": "Fetch it."}}
    edit_suite(lambda suite: suite.update(cells=[], skipped=[reason]))
    for name in ("summary.csv", "scores.csv"):
        (results / name).write_text((results / name).read_text().splitlines()[0] + "\n")
    from benchmark.report.load import load

    write_pages(load(results), tmp_path / "out", formats=("html",))
    page = visit(tmp_path / "out" / "report.html")
    assert "no data" in page.locator("main").inner_text()
    page.get_by_role("button", name="colours").click()
