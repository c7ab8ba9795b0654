"""Have the model sum up the top stories, each time they change."""

from patterns import Model, Table

top_stories = Table("top_stories")
digests = Table("digests", "w")
model = Model("base-llm")

stories = top_stories.read()
if stories:
    titles = "\n".join(f"- {story['title']} ({story['points']} points)" for story in stories)
    digests.append({"stories": len(stories), "digest": model.complete(f"Sum up the news of the hour:\n{titles}")})
