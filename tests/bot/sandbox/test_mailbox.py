async def test_a_mail_lands_in_the_mailbox_with_its_links(product, state):
    html = "<p>您好 <a href='https://leads.example/t/1?a=1&amp;b=2'>看看</a></p>"

    await product.mail(subject="陈先生，三分钟读完", html=html)

    (mail,) = state.mails
    assert (mail.subject, mail.to) == ("陈先生，三分钟读完", "chen@example.com")
    assert mail.html.strip() == html
    assert mail.links == ("https://leads.example/t/1?a=1&b=2", f"{product.url}/t/abc")
    assert mail.unsubscribe == f"{product.url}/u/abc"
    assert "mail" in state.steps


async def test_a_mail_without_html_is_only_text(product, state):
    await product.mail()

    assert state.mails[0].html == ""
    assert "点这里看看" in state.mails[0].text
