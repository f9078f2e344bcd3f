"""Models that go to other people: folders of data, their cards, and hubs that keep them."""
