"""A corpus of 2,080 passages, English and Chinese, made here, and 200 questions whose answers are known. Each passage
tells one thing of one company. Three of four questions name the company and ask in other words than the passage uses:
full text knows the company but not the matter, vectors the matter but not always the company. Every fourth names a
contract, licence or ticket by its code alone, as people do who have one at hand."""
import random

NAMES_EN = ["Borealis Metals", "Cantor Foods", "Delphi Marine", "Elmwood Dairy", "Farrow Textiles", "Granite Bank",
            "Halcyon Air", "Ibex Cycles", "Juniper Labs", "Kestrel Optics", "Lumen Power", "Marlow Paper",
            "Northgate Steel", "Orchid Hotels", "Pinnacle Rail", "Quarry Stone", "Redwood Toys", "Saffron Spices",
            "Tundra Gas", "Umber Paints", "Vesper Media", "Willow Care", "Xenon Lighting", "Yarrow Seeds",
            "Zephyr Wind", "Amber Insurance"]
NAMES_ZH = ["北辰金属", "康达食品", "德海航运", "榆林乳业", "帆远纺织", "花岗银行", "海清航空", "羚羊单车", "杜松药业",
            "红隼光学", "明光电力", "马洛纸业", "北门钢铁", "兰花酒店", "顶峰铁路", "青石建材", "红杉玩具", "藏红香料",
            "冻原燃气", "赭石涂料", "晚星传媒", "柳荫护理", "氙光照明", "蓍草种业", "和风能源", "琥珀保险"]
# passage, question; {n} the company, {a} {b} numbers, {c} a code
TOPICS_EN = [
    ("{n} shut its main plant for {a} days after the river flooded; the repairs cost {b} thousand euro.",
     "How long did water damage halt production at {n}?"),
    ("The chief executive of {n} resigns at the end of month {a}; the deputy takes over until a search ends.",
     "When does the top manager leave {n}?"),
    ("{n} borrowed {b} million from three lenders, to be paid back within {a} years.",
     "What loan did {n} take up and for how many years?"),
    ("Employees of {n} went on strike for {a} days over pay; the union asked for {b} percent more.",
     "What wage increase did the workforce of {n} demand?"),
    ("An audit of {n} found {a} invoices without approval, worth {b} thousand in all.",
     "Which irregularities did accountants uncover at {n}?"),
    ("{n} recalled {b} thousand units because the battery may overheat.",
     "Why did {n} call goods back from customers?"),
    ("The new warehouse of {n} has room for {b} pallets and opens in {a} weeks.",
     "How much storage space will {n} gain?"),
    ("{n} lost a lawsuit about a patent and pays {b} thousand in damages.",
     "What did a court order {n} to compensate?"),
    ("Hackers copied the customer list of {n}; {b} thousand records were affected.",
     "How many people were hit by the data breach at {n}?"),
    ("{n} cut its carbon emissions by {a} percent by switching kilns to electricity.",
     "By how much did {n} lower its greenhouse gases?"),
    ("Under contract {c} {n} delivers {b} tonnes a quarter at a fixed price.",
     "What has to be supplied under agreement {c}?"),
    ("The largest client of {n} buys {a} percent of everything it sells.",
     "How dependent is {n} on a single buyer?"),
    ("{n} moves its head office to a smaller building and saves {b} thousand in rent a year.",
     "What does relocating save {n} annually?"),
    ("A rival opened {a} shops near those of {n}, which then lowered prices by {b} percent.",
     "How did {n} react to new competition nearby?"),
    ("{n} pays suppliers after {b} days on average, {a} days later than agreed.",
     "How late does {n} settle its bills?"),
    ("The pension scheme of {n} is short of {b} million and needs payments for {a} years.",
     "How large is the retirement fund gap at {n}?"),
    ("{n} trains {b} apprentices a year; {a} percent of them stay.",
     "How many young trainees remain with {n}?"),
    ("Licence {c} lets {n} export to {a} countries until it expires.",
     "How many nations may be sold to under permit {c}?"),
    ("Fire destroyed a laboratory of {n}; insurance covers {a} percent of the {b} million loss.",
     "What share of the blaze damage does {n} get reimbursed?"),
    ("{n} replaced its ordering software; for {a} weeks every {b}th order was shipped twice.",
     "What went wrong when {n} changed its IT system?"),
    ("The board of {n} rejected a takeover bid of {b} million as too low.",
     "What price was offered for acquiring {n}?"),
    ("{n} owns {a} patents on coatings and earns {b} thousand a year from licensing them.",
     "What income does {n} draw from its intellectual property?"),
    ("A drought raised the water bill of {n} by {a} percent; it now reuses {b} percent of it.",
     "How does {n} cope with scarce water?"),
    ("Ticket {c} of {n} says that a pump failed after {b} hours of use.",
     "What broke according to ticket {c}?"),
    ("{n} gives its managers shares worth {b} thousand when they stay {a} years.",
     "How does {n} keep its executives from leaving?"),
    ("Tests showed that a filter of {n} removes {a} percent of lead from drinking water.",
     "How effective is the purification product of {n}?"),
    ("{n} closed {a} branches in small towns and moved {b} clerks to a call centre.",
     "Where did staff of closed offices of {n} go?"),
    ("Customs held {b} containers of {n} for {a} days because papers were missing.",
     "Why was freight of {n} stuck at the border?"),
    ("{n} plans to enter the Indian market with {a} dealers and a budget of {b} million.",
     "What does {n} intend to spend on expanding to Mumbai and Delhi?"),
    ("The rating of {n} fell by {a} notches, which makes its debt {b} basis points dearer.",
     "What did the credit downgrade cost {n}?"),
    ("{n} found lice in {a} of its fish farms and treated {b} thousand salmon.",
     "Which animal disease problem did {n} have?"),
    ("Roof panels on the halls of {n} yield {b} megawatt hours of sun power a year.",
     "How much solar electricity does {n} generate?"),
    ("{n} outsourced payroll to a provider for {b} thousand a year; {a} jobs went.",
     "What did handing over salary administration mean for {n}?"),
    ("Visitors rate the service of {n} with {a} of 100 points, after {b} a year before.",
     "How satisfied are guests and customers with {n}?"),
    ("A fine of {b} thousand was set on {n} for selling expired goods in {a} stores.",
     "What penalty did regulators impose on {n}?"),
    ("{n} holds stock for {b} days because its forecasts were off by {a} percent.",
     "Why does {n} carry too much inventory?"),
    ("Two founders of {n} disagree about a listing; one wants to sell {a} percent for {b} million.",
     "What is the dispute about going public at {n}?"),
    ("A tunnel built by {n} is {a} months late and {b} million over budget.",
     "Which construction delay troubles {n}?"),
    ("{n} hedges {a} percent of its dollars; a weaker dollar still costs {b} thousand.",
     "How exposed is {n} to currency swings?"),
    ("Nurses of {n} look after {a} patients a shift and {b} percent report exhaustion.",
     "How heavy is the workload of carers at {n}?"),
]
TOPICS_ZH = [
    ("{n}因河水泛滥停产{a}天，修理费用为{b}千元。", "洪灾让{n}的工厂歇了多久？"),
    ("{n}的总经理将于{a}月底离任，由副手暂代。", "{n}的一把手什么时候走？"),
    ("{n}向三家银行借款{b}百万元，{a}年内还清。", "{n}贷了多少钱，期限多长？"),
    ("{n}的员工为加薪罢工{a}天，工会要求涨{b}%。", "{n}职工要求工资提高多少？"),
    ("审计发现{n}有{a}张发票未经批准，合计{b}千元。", "查账时{n}暴露了什么违规？"),
    ("{n}召回{b}千件产品，因为电池可能过热。", "{n}为什么把卖出的货收回来？"),
    ("{n}的新仓库可放{b}个托盘，{a}周后启用。", "{n}将增加多少存储空间？"),
    ("{n}专利官司败诉，须赔偿{b}千元。", "法院判{n}付多少钱？"),
    ("黑客窃取了{n}的客户名单，涉及{b}千条记录。", "{n}的数据泄露波及多少人？"),
    ("{n}改用电窑，碳排放下降{a}%。", "{n}的温室气体减少了几成？"),
    ("按合同{c}，{n}每季度以固定价格交付{b}吨。", "协议{c}规定供应什么？"),
    ("{n}最大的客户占其销售额的{a}%。", "{n}对单一买家的依赖有多大？"),
    ("{n}把总部迁到较小的楼里，每年省下租金{b}千元。", "{n}搬家一年能节约多少？"),
    ("竞争对手在{n}附近开了{a}家店，{n}随后降价{b}%。", "面对新对手{n}怎么应对？"),
    ("{n}平均{b}天后才付款给供应商，比约定晚{a}天。", "{n}拖欠货款多长时间？"),
    ("{n}的养老金计划缺口为{b}百万元，需补缴{a}年。", "{n}退休基金还差多少？"),
    ("{n}每年培训{b}名学徒，其中{a}%留任。", "{n}的年轻学员有多少没走？"),
    ("许可证{c}允许{n}在到期前向{a}个国家出口。", "凭执照{c}可以卖到几个国外市场？"),
    ("大火烧毁{n}的一间实验室，保险赔付{b}百万元损失的{a}%。", "{n}火灾损失能报销几成？"),
    ("{n}更换订货软件后，有{a}周每第{b}单重复发货。", "{n}换系统时出了什么错？"),
    ("{n}董事会以价低为由拒绝了{b}百万元的收购。", "有人出什么价想买下{n}？"),
    ("{n}拥有{a}项涂层专利，每年许可收入{b}千元。", "{n}靠知识产权赚多少？"),
    ("干旱使{n}的水费上涨{a}%，现在回用{b}%的水。", "{n}怎样应付缺水？"),
    ("{n}的工单{c}写明一台泵用了{b}小时后损坏。", "工单{c}说什么设备坏了？"),
    ("{n}的经理任满{a}年可得价值{b}千元的股票。", "{n}用什么办法留住高管？"),
    ("测试表明{n}的滤芯能除去饮用水中{a}%的铅。", "{n}的净化产品效果如何？"),
    ("{n}关闭{a}个小镇网点，把{b}名柜员调到呼叫中心。", "{n}关店后员工去了哪里？"),
    ("海关因缺少文件扣留{n}的{b}个集装箱{a}天。", "{n}的货为何卡在口岸？"),
    ("{n}计划以{a}家经销商和{b}百万元预算进入印度市场。", "{n}打算花多少钱开拓南亚？"),
    ("{n}的评级下调{a}级，融资成本增加{b}个基点。", "信用变差让{n}多付多少利息？"),
    ("{n}的{a}个养殖场发现鱼虱，处理了{b}千条三文鱼。", "{n}遇到了什么动物疫病？"),
    ("{n}厂房屋顶的电池板每年发电{b}兆瓦时。", "{n}太阳能出力有多少？"),
    ("{n}把薪资业务外包，每年{b}千元，裁减{a}个岗位。", "{n}把发工资的活儿交给别人意味着什么？"),
    ("顾客给{n}的服务打{a}分，去年是{b}分。", "大家对{n}满意吗？"),
    ("{n}在{a}家门店出售过期商品，被罚{b}千元。", "监管部门给了{n}什么处分？"),
    ("因预测偏差{a}%，{n}的库存要放{b}天。", "{n}为什么压了太多货？"),
    ("{n}两位创始人对上市意见不一，一人想以{b}百万元出售{a}%。", "{n}股东在IPO上争什么？"),
    ("{n}承建的隧道晚了{a}个月，超支{b}百万元。", "{n}的哪项工程误期了？"),
    ("{n}对{a}%的美元做了套保，美元走弱仍损失{b}千元。", "汇率波动对{n}影响多大？"),
    ("{n}的护士每班照看{a}名病人，{b}%表示精疲力竭。", "{n}护理人员负担有多重？"),
]


def make(seed=7):
    """(passages, questions): passages are (key, text), questions (text, key, language)."""
    rng = random.Random(seed)
    passages, pairs = [], []
    for language, names, topics in (("en", NAMES_EN, TOPICS_EN), ("zh", NAMES_ZH, TOPICS_ZH)):
        for n in names:
            for t, (passage, question) in enumerate(topics):
                values = {"n": n, "a": rng.randint(2, 99), "b": rng.randint(100, 999),
                          "c": f"{rng.choice('BCDFGHKLM')}{rng.choice('RSTVWXZ')}-{rng.randint(1000, 9999)}"}
                key = f"{language}-{n}-{t}"
                passages.append((key, passage.format(**values)))
                pairs.append((question.format(**values), key, language, "{c}" in question))
    chosen = []
    for language in ("en", "zh"):
        coded = [p for p in pairs if p[2] == language and p[3]]
        plain = [p for p in pairs if p[2] == language and not p[3]]
        chosen += rng.sample(coded, 25) + rng.sample(plain, 75)
    rng.shuffle(passages)
    return passages, [(q, key, language) for q, key, language, _ in chosen]


if __name__ == "__main__":
    p, q = make()
    print(len(p), "passages,", len(q), "questions")
